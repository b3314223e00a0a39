"""Pictures like Fig. 11: predictions on LR, SR and HR images.

There is a row per image and a column per version with its prediction. The last
column is the HR image with the truth. Masks are shown as colors, objects as
boxes, and labels as the codes of the classes.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmdsr.inference.references import sequence_of
from mmdsr.io.frames import read_rgb
from mmdsr.io.reports import write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: For data sets without a palette: that of Okabe and Ito, which is safe for
#: the color-blind.
PALETTE = (
    (230, 159, 0), (0, 158, 115), (86, 180, 233), (204, 121, 167),
    (240, 228, 66), (0, 114, 178), (213, 94, 0), (153, 153, 153),
)  # fmt: skip
_INCH = 2.2


def present(part: dict[str, Any]) -> set[int]:
    """Return which classes a truth or a prediction shows.

    Args:
        part: ``truth`` or ``pred`` of an image, see
            :class:`mmdsr.SavePredictionsHook`.

    Returns:
        Ids, without 0 (background) and 255 of masks.
    """
    if 'mask' in part:
        return set(np.unique(part['mask']).tolist()) - {0, 255}
    return set(part.get('labels', part.get('classes', ())))


def choose(images: Sequence[dict[str, Any]], rows: int = 6) -> list[int]:
    """Choose images of different sequences that show the classes evenly.

    Args:
        images: Images with ``truth`` and ``img_path``.
        rows: Number of images.

    Returns:
        Their indices, ascending.
    """
    shown: Counter[int] = Counter()
    seen: Counter[tuple[Path, str]] = Counter()
    chosen: list[int] = []
    left = set(range(len(images)))
    sequences = [_sequence(image) for image in images]

    def worth(number: int) -> tuple[float, int]:
        # Prefer classes that the chosen images rarely show.
        classes = present(images[number]['truth'])
        new = sum(1 / (1 + shown[label]) for label in classes)
        return new / (1 + seen[sequences[number]]), -number

    while left and len(chosen) < rows:
        best = max(left, key=worth)
        shown.update(present(images[best]['truth']))
        seen[sequences[best]] += 1
        chosen.append(best)
        left.remove(best)
    return sorted(chosen)


def _sequence(image: dict[str, Any]) -> tuple[Path, str]:
    """Return the sequence of an image, or its name if it has none."""
    path = Path(image['img_path'])
    return path.parent, sequence_of(path.stem) or path.name


def draw(
    path: Path,
    title: str,
    predictions: dict[str, dict[str, Any]],
    rows: int = 6,
) -> None:
    """Draw the pictures of a task.

    Args:
        path: PNG file.
        title: Title.
        predictions: Result of ``read_predictions`` for each column of the
            table, HR last.
        rows: Images.
    """
    # Without pyplot, no window system is needed.
    from matplotlib.figure import Figure

    last = list(predictions.values())[-1]
    chosen = choose(last['images'], rows)
    columns = [*predictions, 'ground truth']
    aspect = _aspect(last['images'])
    figure = Figure(
        figsize=(_INCH * len(columns), (_INCH / aspect + 0.25) * len(chosen)),
        layout='constrained',
    )
    figure.suptitle(title)
    grid = figure.subplots(len(chosen), len(columns), squeeze=False)
    for axes, column in zip(grid[0], columns, strict=True):
        # The name of a model may be wider than a picture.
        axes.set_title(column.replace('(', '\n('), fontsize='small')
    for row, number in zip(grid, chosen, strict=True):
        truth = last['images'][number]['truth']
        for axes, column in zip(row, columns, strict=True):
            source = predictions.get(column, last)
            item = source['images'][number]
            pred = item['pred'] if column in predictions else None
            axes.imshow(read_rgb(Path(item['img_path']))[0])
            axes.set_xticks([])
            axes.set_yticks([])
            _overlay(axes, source, truth, pred)
    write_figure(path, figure, dpi=100)


def _aspect(images: Sequence[dict[str, Any]]) -> float:
    if not images:
        return 1
    height, width = read_rgb(Path(images[0]['img_path']))[0].shape[:2]
    return width / height


def _color(source: dict[str, Any], label: int) -> np.ndarray:
    palette = source['palette'] or PALETTE
    return np.array(palette[label % len(palette)]) / 255


def _name(source: dict[str, Any], label: int) -> str:
    names = source['classes']
    return names[label] if label < len(names) else str(label)


def _overlay(
    axes: 'Axes',
    source: dict[str, Any],
    truth: dict[str, Any],
    pred: dict[str, Any] | None,
) -> None:
    """Draw a prediction, or the truth where ``pred`` is None."""
    shown = truth if pred is None else pred
    if 'mask' in shown:
        _draw_mask(axes, source, shown['mask'], truth['mask'])
    elif 'boxes' in shown:
        _draw_boxes(axes, source, shown)
    elif 'classes' in shown:
        _write_classes(axes, source, truth, pred)


def _draw_mask(
    axes: 'Axes', source: dict[str, Any], mask: np.ndarray, truth: np.ndarray
) -> None:
    layer = np.zeros((*mask.shape, 4))
    for label in present(dict(mask=mask)):
        layer[mask == label, :3] = _color(source, label)
        layer[mask == label, 3] = 0.6
    axes.imshow(layer, interpolation='nearest')
    # The outline of the truth for comparison.
    for label in present(dict(mask=truth)):
        axes.contour(
            truth == label, levels=[0.5], colors='white', linewidths=0.8
        )
    names = [_name(source, label) for label in sorted(present({'mask': mask}))]
    axes.set_xlabel(', '.join(names) or '-', fontsize='small', labelpad=2)


def _draw_boxes(
    axes: 'Axes', source: dict[str, Any], part: dict[str, Any]
) -> None:
    from matplotlib.patches import Rectangle

    scores = part.get('scores') or [None] * len(part['boxes'])
    for (left, top, right, bottom), label, score in zip(
        part['boxes'], part['labels'], scores, strict=True
    ):
        color = _color(dict(palette=None), label)
        axes.add_patch(
            Rectangle(
                (left, top),
                right - left,
                bottom - top,
                fill=False,
                edgecolor=color,
                linewidth=1.5,
            )
        )
        text = _name(source, label)
        text += '' if score is None else f' {score:.2f}'
        note = axes.text(
            left, top, text, fontsize=6, va='bottom', color='black',
            bbox=dict(facecolor=color, pad=0.5, linewidth=0),
        )  # fmt: skip
        # The images are not reduced for it.
        note.set_in_layout(False)


def _write_classes(
    axes: 'Axes',
    source: dict[str, Any],
    truth: dict[str, Any],
    pred: dict[str, Any] | None,
) -> None:
    """Write the codes below: correct ones green, wrong red, missed gray."""
    true = present(truth)
    found = true if pred is None else present(pred)
    words = [
        (_name(source, label), 'green' if label in true else 'red')
        for label in sorted(found)
    ]
    words += [(f'({_name(source, c)})', '0.5') for c in sorted(true - found)]
    words = words or [('none', 'green' if not true else '0.5')]
    step = 1 / max(len(words), 4)
    for number, (word, color) in enumerate(words):
        axes.text(
            step * number, -0.02, word, color=color, fontsize='small',
            va='top', transform=axes.transAxes,
        )  # fmt: skip
