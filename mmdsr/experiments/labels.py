"""Labels beside the points of a plot."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Where a label may stand: distance from its point, in typographic points, and
#: the end of the label that is there. The first free place is taken.
_PLACES = (
    (5, 4, 'left'),
    (5, -11, 'left'),
    (-5, 4, 'right'),
    (-5, -11, 'right'),
    (5, 14, 'left'),
    (5, -21, 'left'),
    (-5, 14, 'right'),
    (-5, -21, 'right'),
)
#: Half the side of a marker, in pixels.
_MARKER = 4


def label_points(
    axes: 'Axes', labels: Sequence[str], points: Sequence[tuple[float, float]]
) -> None:
    """Write a label beside each point, so that none covers another.

    Args:
        axes: The axes, whose limits and size no longer change.
        labels: The labels.
        points: The points, in the units of the axes. Where there is no free
            place around one, its label covers others.
    """
    from matplotlib.transforms import Bbox

    centers = axes.transData.transform(points)
    taken = [
        Bbox.from_extents(*(c - _MARKER), *(c + _MARKER)) for c in centers
    ]
    for label, point in zip(labels, points, strict=True):
        for number, (x, y, side) in enumerate((*_PLACES, _PLACES[0])):
            text = axes.annotate(
                label,
                point,
                xytext=(x, y),
                textcoords='offset points',
                horizontalalignment=side,
                fontsize='small',
            )
            # It would move the points.
            text.set_in_layout(False)
            box = text.get_window_extent()
            inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
            free = inside and not box.count_overlaps(taken)
            if free or number == len(_PLACES):
                break
            text.remove()
        taken.append(box)
