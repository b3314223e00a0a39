"""The region: the whole picture, a box, or the far end of the pipe.

Boxes are ``(x, y, w, h)`` in pixels of the recording. The corner of a moving
box is a whole pixel once it is enlarged, so that it moves smoothly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Share of each side of the picture that counts as far, and the least side.
FAR_SHARE, FAR_LEAST = 0.25, 32
#: Seconds of the running median that removes outliers, and of the smoothing.
_MEDIAN, _SMOOTH = 3.0, 1.0
#: Minimum confidence of a point.
_SURE = 0.45


@dataclass(frozen=True)
class Track:
    """Where the region is at each time.

    Attributes:
        size: Width and height, whole pixels.
        times: Seconds of the places that are known, rising.
        corners: Upper left corner ``(x, y)`` at each, pixels.
    """

    size: tuple[int, int]
    times: tuple[float, ...]
    corners: tuple[tuple[float, float], ...]

    def box(self, time: float, scale: int) -> tuple[float, float, int, int]:
        """Return the box at a time.

        Args:
            time: Seconds.
            scale: Scale of the region: its corner then is a
                whole pixel.
        """
        x, y = (
            round(float(np.interp(time, self.times, values)) * scale) / scale
            for values in zip(*self.corners, strict=True)
        )
        return x, y, *self.size

    def as_dict(self) -> dict:
        """Return the object as JSON-serializable values."""
        return dict(size=self.size, times=self.times, corners=self.corners)

    @classmethod
    def from_dict(cls, fields: dict) -> 'Track':
        """Rebuild the object from the output of :meth:`as_dict`."""
        return cls(
            tuple(fields['size']),
            tuple(fields['times']),
            tuple(map(tuple, fields['corners'])),
        )


def still(box: Sequence[int]) -> Track:
    """Return the track of a box that does not move."""
    x, y, w, h = box
    return Track((w, h), (0.0,), ((float(x), float(y)),))


def parse_box(text: str) -> tuple[int, int, int, int]:
    """Read ``'x,y,w,h'``.

    Raises:
        ValueError: If it has another format.
    """
    try:
        x, y, w, h = (int(part) for part in text.split(','))
    except ValueError:
        raise ValueError(
            f'{text!r} is not a box: give X,Y,WIDTH,HEIGHT in pixels of the '
            'recording, such as 260,200,180,144.'
        ) from None
    if x < 0 or y < 0 or w < 1 or h < 1:
        raise ValueError(
            f'The box {text} must not have negative values or be empty: give '
            'X,Y,WIDTH,HEIGHT in pixels of the recording.'
        )
    return x, y, w, h


def far_size(width: int, height: int) -> tuple[int, int]:
    """Return the size of the far region of a picture."""

    def far(side: int) -> int:
        return min(side, max(FAR_LEAST, round(FAR_SHARE * side)))

    return far(width), far(height)


def follow(
    points: Sequence[tuple[float, float, float, float]],
    width: int,
    height: int,
) -> tuple[Track, str]:
    """Make a steady track from the vanishing points of single frames.

    Points of low confidence are left out, outliers are removed by a running
    median, and the rest is smoothed; the box stays within the picture.

    Args:
        points: Seconds, x, y and confidence, in the order of time.
        width: Width of the picture.
        height: Height of the picture.

    Returns:
        The track, and a note about it, or ''.
    """
    # Of the extra "video".
    from scipy.ndimage import gaussian_filter1d, median_filter

    w, h = far_size(width, height)
    sure = [point for point in points if point[3] >= _SURE]
    note = ''
    if not sure:
        note = (
            'No vanishing point was found, so the center of the picture is '
            'used as the far end.'
        )
        sure = [(0.0, width / 2, height / 2, 1.0)]
    elif len(sure) < 0.5 * len(points):
        note = (
            f'The vanishing point was found in {len(sure)} of {len(points)} '
            'examined frames; between them the region moves evenly.'
        )
    times, x, y, _ = (np.array(one, float) for one in zip(*sure, strict=True))
    step = max(float(np.median(np.diff(times))) if len(times) > 1 else 1, 1e-3)
    grid = np.arange(times[0], times[-1] + step / 2, step)
    corners = []
    for values, side, length in ((x, w, width), (y, h, height)):
        even = np.interp(grid, times, values)
        count = round(_MEDIAN / step) | 1
        if count > 1:
            even = median_filter(even, count, mode='nearest')
        even = gaussian_filter1d(even, _SMOOTH / step, mode='nearest')
        corners.append(np.clip(even - side / 2, 0, length - side))
    places = zip(*(np.round(one, 2).tolist() for one in corners), strict=True)
    track = Track((w, h), tuple(np.round(grid, 3).tolist()), tuple(places))
    return track, note
