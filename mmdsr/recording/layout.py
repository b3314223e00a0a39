"""Place the enhanced region of a frame in its picture."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from mmdsr.recording.region import Track

#: Pixels of the recording over which two pictures are blended.
_BLEND = 4
#: Color and width of the lines around an inset and its region.
_LINE, _LINE_WIDTH = (255, 255, 255), 2

Box = tuple[float, float, int, int]


def _corner(track: Track, width: int, height: int) -> tuple[bool, bool]:
    """Return whether the inset is at the right, and at the bottom.

    The corner farthest from where the region is on average; it stays.
    """
    w, h = track.size
    x, y = np.mean(track.corners, axis=0)
    return bool(x + w / 2 < width / 2), bool(y + h / 2 < height / 2)


def inset_place(
    track: Track,
    picture: Sequence[int],
    canvas: Sequence[int],
    region: Sequence[int],
) -> tuple[int, int, int, int]:
    """Return where in a picture the inset lies.

    Args:
        track: Track of the region.
        picture: Height and width of a frame of the recording.
        canvas: Height and width of the picture behind the inset.
        region: Height and width of the enlarged region; the part beyond the
            canvas is cut off.

    Returns:
        ``(x, y, w, h)`` in pixels of the canvas.
    """
    right, bottom = _corner(track, picture[1], picture[0])
    h, w = min(region[0], canvas[0]), min(region[1], canvas[1])
    left = canvas[1] - w if right else 0
    top = canvas[0] - h if bottom else 0
    return left, top, w, h


def inset_factor(
    size: Sequence[int], region: Sequence[int], scale: int
) -> int:
    """Return the scale of the picture behind an inset.

    Twice the inset's sides are enough to see both.

    Args:
        size: Width and height of the picture.
        region: Width and height of the region in the inset.
        scale: Scale of the inset.
    """
    share = max(one / other for one, other in zip(region, size, strict=True))
    return min(scale, max(1, math.ceil(2 * scale * share - 1e-9)))


def plain(picture: np.ndarray, box: Box, scale: int) -> np.ndarray:
    """Enlarge a part of a picture by Pillow's bicubic filter.

    Args:
        picture: RGB (H, W, 3) uint8.
        box: ``(x, y, w, h)``; it may begin within a pixel.
        scale: The scale; 1 for the original pixels.

    Returns:
        RGB (h * scale, w * scale, 3) uint8.
    """
    x, y, w, h = box
    return np.asarray(
        Image.fromarray(picture).resize(
            (w * scale, h * scale),
            Image.Resampling.BICUBIC,
            (x, y, x + w, y + h),
        )
    )


def _mask(
    shape: tuple[int, int], box: Sequence[float], blend: float
) -> np.ndarray:
    """Return 1 in a box, falling to 0 over ``blend`` pixels around it."""
    height, width = shape
    x, y, w, h = box
    weights = []
    for start, side, length in ((y, h, height), (x, w, width)):
        middle = np.arange(length) + 0.5
        away = np.maximum(start - middle, middle - (start + side))
        weights.append(np.clip(1 - away / blend, 0, 1))
    return np.outer(*weights).astype(np.float32)


def _blend(
    inner: np.ndarray, outer: np.ndarray, mask: np.ndarray
) -> np.ndarray:
    return cv2.blendLinear(
        np.ascontiguousarray(inner),
        np.ascontiguousarray(outer),
        np.ascontiguousarray(mask),
        np.ascontiguousarray(1 - mask),
    )


def keep_text(
    enhanced: np.ndarray,
    interpolated: np.ndarray,
    text: Sequence[int],
    box: Box,
    scale: int,
) -> np.ndarray:
    """Take text from the interpolated picture, without a seam."""
    mask = text_mask(enhanced.shape, text, box, scale)
    if not mask.any():
        return enhanced
    return _blend(interpolated, enhanced, mask)


def text_mask(
    shape: Sequence[int], text: Sequence[int], box: Box, scale: int
) -> np.ndarray:
    """Return the part of a region that comes from plain interpolation.

    Args:
        shape: Height and width of the region, enlarged.
        text: Box ``(x, y, w, h)`` of text in the recording.
        box: The region.
        scale: Scale of the region.

    Returns:
        (H, W) float32: 1 for the interpolation, 0 for the network.
    """
    x, y, w, h = text
    place = (x - box[0]) * scale, (y - box[1]) * scale, w * scale, h * scale
    return _mask((shape[0], shape[1]), place, _BLEND * scale)


def put_back(
    canvas: np.ndarray, region: np.ndarray, box: Box, scale: int
) -> np.ndarray:
    """Put a region into the enlarged picture, without a seam."""
    left, top = round(box[0] * scale), round(box[1] * scale)
    height, width = region.shape[:2]
    size = canvas.shape[0] // scale, canvas.shape[1] // scale
    mask = back_mask(region.shape, box, size, scale)
    result = canvas.copy()
    rows, columns = slice(top, top + height), slice(left, left + width)
    result[rows, columns] = _blend(region, canvas[rows, columns], mask)
    return result


def back_mask(
    shape: Sequence[int], box: Box, picture: Sequence[int], scale: int
) -> np.ndarray:
    """Return the visible share of each pixel of a region that is put back.

    It is blended within its border, but not at that of the picture itself.

    Args:
        shape: Height and width of the region, enlarged.
        box: The region.
        picture: Height and width of a frame of the recording.
        scale: Scale of the region.

    Returns:
        (H, W) float32 in [0, 1].
    """
    x, y, w, h = box
    height, width = shape[:2]
    blend = _BLEND * scale
    inner = [blend, blend, width - blend, height - blend]
    if x <= 0:
        inner[0] = 0
    if y <= 0:
        inner[1] = 0
    if x + w >= picture[1]:
        inner[2] = width
    if y + h >= picture[0]:
        inner[3] = height
    place = inner[0], inner[1], inner[2] - inner[0], inner[3] - inner[1]
    return _mask((height, width), place, blend)


def put_inset(
    canvas: np.ndarray,
    region: np.ndarray,
    box: Box,
    factor: int,
    place: tuple[int, int, int, int],
) -> np.ndarray:
    """Put a region into a corner, and a line around where it is."""
    result = canvas.copy()
    left, top, w, h = place
    result[top : top + h, left : left + w] = region[:h, :w]
    x, y, wide, tall = (round(value * factor) for value in box)
    for a, b, c, d in ((x, y, wide, tall), (left, top, w, h)):
        cv2.rectangle(
            result, (a, b), (a + c - 1, b + d - 1), _LINE, _LINE_WIDTH
        )
    return result
