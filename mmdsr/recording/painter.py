"""From a frame and its references to the picture that is shown."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image

from mmdsr.inference.inputs import read_image, write_like
from mmdsr.inference.pairs import Enlarged
from mmdsr.inference.references import at_full_size
from mmdsr.inference.super_resolver import SuperResolver
from mmdsr.io.images import downscale
from mmdsr.recording.neighbors import Moment, Reference
from mmdsr.recording.region import Track

SHOWS = ('zoom', 'inset', 'back')
SCALES = (1, 2, 4)
#: Pixels of the recording that the network sees beyond the region.
_MARGIN = 8
#: Pixels of the recording over which two pictures are blended.
_BLEND = 4
#: Color and width of the line around an inset and what it shows.
_LINE, _LINE_WIDTH = (255, 255, 255), 2

Box = tuple[float, float, int, int]


@dataclass(frozen=True)
class Look:
    """What is shown, and how large.

    Attributes:
        scale: How many times as many rows and columns.
        show: How a region is shown, of :data:`SHOWS`.
        texts: Boxes ``(x, y, w, h)`` that come from plain interpolation.
        side_by_side: Whether the interpolated picture stands at the left.
    """

    scale: int
    show: str
    texts: tuple[tuple[int, int, int, int], ...] = ()
    side_by_side: bool = False


class Painted(NamedTuple):
    """The picture of a frame.

    Args:
        picture: RGB (H, W, 3) uint8.
        confidence: In the references, of each pixel that the network saw
            (h, w) in [0, 1]; ``None`` without any.
        tile: Side of the tiles; ``None`` for all at once.
    """

    picture: np.ndarray
    confidence: np.ndarray | None
    tile: int | None


class Painter:
    """Makes the enhanced picture of each frame.

    Args:
        resolver: What to enhance with; it enlarges by 4.
        look: What is shown.
        track: Where the region is; None for the whole picture.
        device: Where to compute.
    """

    def __init__(
        self,
        resolver: SuperResolver,
        look: Look,
        track: Track | None,
        device: str | torch.device,
    ) -> None:
        self.resolver, self.look, self.track = resolver, look, track
        self.device = torch.device(device)

    def box(self, picture: np.ndarray, time: float) -> Box:
        """Return the region of a picture at a time."""
        if self.track is None:
            return 0, 0, picture.shape[1], picture.shape[0]
        return self.track.box(time, self.look.scale)

    def part(self, picture: np.ndarray, time: float) -> np.ndarray:
        """Return the region of a picture, a little more at its border."""
        return _cut(picture, self._window(picture, time))

    def _window(self, picture: np.ndarray, time: float) -> Box:
        """Return what the network sees: whole pixels, with a margin."""
        x, y, w, h = self.box(picture, time)
        height, width = picture.shape[:2]
        left, top = (max(0, math.floor(v) - _MARGIN) for v in (x, y))
        right = min(width, math.ceil(x + w) + _MARGIN)
        bottom = min(height, math.ceil(y + h) + _MARGIN)
        return left, top, right - left, bottom - top

    def paint(self, moment: Moment) -> 'Painted':
        """Make the picture of a frame.

        Args:
            moment: The frame and its references.

        Returns:
            What is to be shown, and the confidence in the references.
        """
        picture, scale = moment.picture, self.look.scale
        box = self.box(picture, moment.time)
        enhanced, found = self._enhance(moment, box)

        def painted(result: np.ndarray) -> Painted:
            # A mark may be drawn on it.
            result = np.require(result, requirements='W')
            return Painted(result, found.confidence, found.tile)

        if not self.look.side_by_side and not self.look.texts:
            return painted(self._show(picture, enhanced, box))
        interpolated = plain(picture, box, scale)
        for text in self.look.texts:
            enhanced = _keep(enhanced, interpolated, text, box, scale)
        result = self._show(picture, enhanced, box)
        if self.look.side_by_side:
            left = self._show(picture, interpolated, box)
            result = np.concatenate([left, result], axis=1)
        return painted(result)

    def _enhance(
        self, moment: Moment, box: Box
    ) -> tuple[np.ndarray, Enlarged]:
        """Return the region ``scale`` times as large, and how it was made."""
        window = self._window(moment.picture, moment.time)
        image = np.ascontiguousarray(_cut(moment.picture, window))
        lr = read_image(image).to(self.device)
        refs = None
        if moment.references and self.resolver.interpolation is None:
            refs = self._references(moment, window, lr)
        name = dict(img_path=f'frame {moment.index}')
        (found,) = self.resolver.explain_pixels([lr], [name], [refs])
        result = np.asarray(write_like(found.pixels, image))
        factor = self.resolver.scale
        x, y, w, h = box
        left = round((x - window[0]) * factor)
        top = round((y - window[1]) * factor)
        result = result[top : top + h * factor, left : left + w * factor]
        result = np.ascontiguousarray(result)
        return downscale(result, factor // self.look.scale), found

    def _references(
        self, moment: Moment, window: Box, lr: torch.Tensor
    ) -> torch.Tensor:
        chosen: Sequence[Reference] = moment.references
        if not self.resolver.takes_several:
            chosen = chosen[:1]
        parts = []
        for one in chosen:
            place = _same_place(moment.picture, one, window)
            part = np.ascontiguousarray(_cut(one.picture, place))
            image = read_image(part).to(self.device)
            parts.append(at_full_size(image, lr, self.resolver.scale))
        return torch.stack(parts) if len(parts) > 1 else parts[0]

    def _show(
        self, picture: np.ndarray, region: np.ndarray, box: Box
    ) -> np.ndarray:
        """Return the region as it is to be shown."""
        if self.track is None or self.look.show == 'zoom':
            return region
        height, width = picture.shape[:2]
        whole = 0, 0, width, height
        if self.look.show == 'back':
            canvas = plain(picture, whole, self.look.scale)
            return _put_back(canvas, region, box, whole, self.look.scale)
        factor = inset_factor((width, height), box[2:], self.look.scale)
        canvas = plain(picture, whole, factor)
        corner = _corner(self.track, width, height)
        return _inset(canvas, region, box, factor, corner)


def _corner(track: Track, width: int, height: int) -> tuple[bool, bool]:
    """Return whether the inset is at the right, and at the bottom.

    The corner farthest from where the region is on average; it stays.
    """
    w, h = track.size
    x, y = np.mean(track.corners, axis=0)
    return bool(x + w / 2 < width / 2), bool(y + h / 2 < height / 2)


def inset_factor(
    size: Sequence[int], region: Sequence[int], scale: int
) -> int:
    """Return how much a picture is enlarged behind an inset.

    Twice the inset's sides are enough to see both.

    Args:
        size: Width and height of the picture.
        region: Width and height of what the inset shows.
        scale: How much that is enlarged.
    """
    share = max(one / other for one, other in zip(region, size, strict=True))
    return min(scale, max(1, math.ceil(2 * scale * share - 1e-9)))


def plain(picture: np.ndarray, box: Box, scale: int) -> np.ndarray:
    """Enlarge a part of a picture by Pillow's bicubic filter.

    Args:
        picture: RGB (H, W, 3) uint8.
        box: ``(x, y, w, h)``; it may begin within a pixel.
        scale: How much; 1 for the pixels themselves.

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


def _cut(picture: np.ndarray, box: Box) -> np.ndarray:
    x, y, w, h = map(int, box)
    return picture[y : y + h, x : x + w]


def _same_place(picture: np.ndarray, other: Reference, window: Box) -> Box:
    """Return where a window lies in a reference of any size."""
    across = other.picture.shape[1] / picture.shape[1]
    down = other.picture.shape[0] / picture.shape[0]
    x, y, w, h = window
    left, top = round(x * across), round(y * down)
    return (
        left,
        top,
        max(1, round((x + w) * across) - left),
        max(1, round((y + h) * down) - top),
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


def _keep(
    enhanced: np.ndarray,
    interpolated: np.ndarray,
    text: Sequence[int],
    box: Box,
    scale: int,
) -> np.ndarray:
    """Take text from the interpolated picture, without a seam."""
    x, y, w, h = text
    place = (x - box[0]) * scale, (y - box[1]) * scale, w * scale, h * scale
    height, width = enhanced.shape[:2]
    mask = _mask((height, width), place, _BLEND * scale)
    if not mask.any():
        return enhanced
    return _blend(interpolated, enhanced, mask)


def _put_back(
    canvas: np.ndarray, region: np.ndarray, box: Box, whole: Box, scale: int
) -> np.ndarray:
    """Put a region into the picture, blended within its border.

    At the border of the picture itself nothing is to be blended.
    """
    x, y, w, h = box
    left, top = round(x * scale), round(y * scale)
    height, width = region.shape[:2]
    blend = _BLEND * scale
    inner = [blend, blend, width - blend, height - blend]
    if x <= 0:
        inner[0] = 0
    if y <= 0:
        inner[1] = 0
    if x + w >= whole[2]:
        inner[2] = width
    if y + h >= whole[3]:
        inner[3] = height
    place = inner[0], inner[1], inner[2] - inner[0], inner[3] - inner[1]
    mask = _mask((height, width), place, blend)
    result = canvas.copy()
    rows, columns = slice(top, top + height), slice(left, left + width)
    result[rows, columns] = _blend(region, canvas[rows, columns], mask)
    return result


def _inset(
    canvas: np.ndarray,
    region: np.ndarray,
    box: Box,
    factor: int,
    corner: tuple[bool, bool],
) -> np.ndarray:
    """Put a region into a corner, and a line around where it is."""
    result = canvas.copy()
    height, width = canvas.shape[:2]
    h, w = min(region.shape[0], height), min(region.shape[1], width)
    left = width - w if corner[0] else 0
    top = height - h if corner[1] else 0
    result[top : top + h, left : left + w] = region[:h, :w]
    x, y, wide, tall = (round(value * factor) for value in box)
    for a, b, c, d in ((x, y, wide, tall), (left, top, w, h)):
        cv2.rectangle(
            result, (a, b), (a + c - 1, b + d - 1), _LINE, _LINE_WIDTH
        )
    return result
