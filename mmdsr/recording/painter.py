"""Make the picture of a frame from the frame and its references."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from mmdsr.inference.inputs import read_image, write_like
from mmdsr.inference.pairs import Enlarged
from mmdsr.inference.references import at_full_size
from mmdsr.inference.super_resolver import SuperResolver
from mmdsr.io.images import downscale
from mmdsr.recording.layout import (
    Box,
    inset_factor,
    inset_place,
    keep_text,
    plain,
    put_back,
    put_inset,
)
from mmdsr.recording.neighbors import Moment, Reference
from mmdsr.recording.region import Track

SHOWS = ('zoom', 'inset', 'back')
SCALES = (1, 2, 4)
#: Pixels of the recording that the network sees beyond the region.
_MARGIN = 8


@dataclass(frozen=True)
class Look:
    """Appearance of the pictures.

    Attributes:
        scale: Factor by which rows and columns are enlarged.
        show: How a region is shown, of :data:`SHOWS`.
        texts: Boxes ``(x, y, w, h)`` that are only interpolated.
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
            (h, w) in [0, 1]; ``None`` without a reference.
        tile: Side of the tiles; ``None`` for all at once.
    """

    picture: np.ndarray
    confidence: np.ndarray | None
    tile: int | None


class Painter:
    """Makes the enhanced picture of each frame.

    Args:
        resolver: Resolver with scale 4.
        look: Appearance of the pictures.
        track: Track of the region; None for the whole picture.
        device: Device to compute on.
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
        """Return the region of a picture with a small margin."""
        return _cut(picture, self._window(picture, time))

    def _window(self, picture: np.ndarray, time: float) -> Box:
        """Return the input of the network: whole pixels, with a margin."""
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
            The picture to show, and the confidence in the references.
        """
        picture, scale = moment.picture, self.look.scale
        box = self.box(picture, moment.time)
        enhanced, found = self._enhance(moment)

        def painted(result: np.ndarray) -> Painted:
            # A mark may be drawn on the copy.
            result = np.require(result, requirements='W')
            return Painted(result, found.confidence, found.tile)

        if not self.look.side_by_side and not self.look.texts:
            return painted(self._show(picture, enhanced, box))
        interpolated = plain(picture, box, scale)
        for text in self.look.texts:
            enhanced = keep_text(enhanced, interpolated, text, box, scale)
        result = self._show(picture, enhanced, box)
        if self.look.side_by_side:
            left = self._show(picture, interpolated, box)
            result = np.concatenate([left, result], axis=1)
        return painted(result)

    def _enhance(self, moment: Moment) -> tuple[np.ndarray, Enlarged]:
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
        result = np.ascontiguousarray(self.cut(result, moment))
        factor = self.resolver.scale
        return downscale(result, factor // self.look.scale), found

    def cut(self, result: np.ndarray, moment: Moment) -> np.ndarray:
        """Cut the region out of the enlarged input of the network.

        Args:
            result: (H, W, ...), as many times as large as the resolver
                enlarges.
            moment: The frame.

        Returns:
            A view of it.
        """
        factor = self.resolver.scale
        x, y, w, h = self.box(moment.picture, moment.time)
        window = self._window(moment.picture, moment.time)
        left = round((x - window[0]) * factor)
        top = round((y - window[1]) * factor)
        return result[top : top + h * factor, left : left + w * factor]

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
        """Return the region as it will be shown."""
        if self.track is None or self.look.show == 'zoom':
            return region
        height, width = picture.shape[:2]
        whole = 0, 0, width, height
        if self.look.show == 'back':
            canvas = plain(picture, whole, self.look.scale)
            return put_back(canvas, region, box, self.look.scale)
        factor = inset_factor((width, height), box[2:], self.look.scale)
        canvas = plain(picture, whole, factor)
        place = inset_place(
            self.track, picture.shape, canvas.shape, region.shape
        )
        return put_inset(canvas, region, box, factor, place)


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
