"""An image and its reference, the settings of a run, and the result."""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from mmdsr.inference import tiling
from mmdsr.inference.references import enlarged
from mmdsr.models.networks.padding import MIN_SIZE

#: Margin of a tile's window in its own enlargement, in pixels of LR. Matches
#: lie at the same place, and without a margin the windows are those of the
#: whole image: with 16 or 32 more pixels, the mean difference from its result
#: rose from 0.06 to 0.11 of 255 (256x256 pixels in tiles of 128).
_OWN_MARGIN = 0
#: A tile and its part of the reference, RGB (3, h, w) in 0..1.
Part: TypeAlias = tuple[Tensor, Tensor]


@dataclass
class Settings:
    """Settings to run a network with.

    Args:
        scale: Scale of the network.
        multiple: Divisor of the start of each tile.
        tile: Side of a tile, ``'auto'``, or ``None`` for the whole image.
        overlap: Minimum overlap of neighboring tiles in pixels.
        batch: Images or tiles per batch; ``None`` to choose.
        precision: One of ``PRECISIONS``.
        centered: Whether the network searches for LR from the center of the
            reference outwards: a tile then gets the part of the reference at
            its own place, and its neighbors cover matches that lie beyond.
        explain: Whether to compute the confidence in the reference, if there
            is one. Defaults to False.
    """

    scale: int
    multiple: int
    tile: str | int | None
    overlap: int
    batch: int | None
    precision: str
    centered: bool = False
    explain: bool = False


class Enlarged(NamedTuple):
    """An enlarged image.

    Args:
        pixels: BGR (3, H * scale, W * scale) in uint8.
        trust: Confidence of each pixel of LR in the reference (H, W) in
            uint8, of 255; ``None`` without a reference, or if it was not
            requested.
        tile: Side of the tiles; ``None`` for the whole image at once.
    """

    pixels: Tensor
    trust: Tensor | None = None
    tile: int | None = None

    @property
    def confidence(self) -> np.ndarray | None:
        """The same confidence (H, W) in [0, 1], float32."""
        if self.trust is None:
            return None
        return self.trust.cpu().numpy().astype(np.float32) / 255


@dataclass
class ImagePair:
    """An image and its reference, which can be cut into tiles.

    Args:
        image: BGR (3, H, W) in 0..255.
        reference: BGR (3, Hr, Wr) in 0..255; several of one size
            (K, 3, Hr, Wr) for a network that takes them; or its replacement:
            ``'upscaled'``, ``'self'``, or ``'none'`` for a network that works
            without one and gets LR in its place.
        name: Name of the image in messages.
    """

    image: Tensor
    reference: Tensor | str
    name: str = 'an image'

    def __post_init__(self) -> None:
        # Padded before cutting, as the network refuses smaller images.
        self.lr = _grow(self.image)
        # A replacement shows nothing that LR does not show.
        self.has_reference = isinstance(self.reference, Tensor)
        if isinstance(self.reference, Tensor):
            self.reference = _grow(self.reference.to(self.image.device))
        elif self.reference == 'self':
            self.reference = self.lr

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the network's input."""
        height, width = self.lr.shape[-2:]
        return height, width

    @property
    def count(self) -> int:
        """Number of references; 1 for a replacement."""
        if isinstance(self.reference, Tensor) and self.reference.ndim == 4:
            return len(self.reference)
        return 1

    def ref_size(self, scale: int) -> tuple[int, int]:
        """Return height and width of the reference."""
        if isinstance(self.reference, Tensor):
            height, width = self.reference.shape[-2:]
            return height, width
        height, width = self.size
        if self.reference == 'none':
            return height, width
        return height * scale, width * scale

    def window(
        self, tile: tiling.Tile, side: int, settings: Settings
    ) -> tiling.Tile:
        """Return the window of the reference that belongs to a tile.

        Args:
            tile: The tile.
            side: Largest side of the tiles.
            settings: Settings of the network.

        Returns:
            Rows and columns of the reference, perhaps outside it.
        """
        find = partial(tiling.proportional, margin=self.margin(side))
        if settings.centered and isinstance(self.reference, Tensor):
            find = partial(tiling.from_center, scale=settings.scale)
        return tiling.reference_window(
            tile, self.size, self.ref_size(settings.scale), find
        )

    def margin(self, side: int) -> int:
        """Return the margin of a tile's window in the reference.

        Args:
            side: Largest side of the tiles.

        Returns:
            Pixels of the image.
        """
        if isinstance(self.reference, str):
            return _OWN_MARGIN
        return side // 2

    def overlap(self, side: int, settings: Settings) -> int:
        """Return the minimum overlap of neighboring tiles.

        Args:
            side: Side of the tiles.
            settings: Settings of the network.

        Returns:
            Pixels of the image.
        """
        if settings.centered and isinstance(self.reference, Tensor):
            return max(settings.overlap, side // 4)
        return settings.overlap

    def cut(self, tile: tiling.Tile, side: int, settings: Settings) -> Part:
        """Return a tile and its part of the reference, RGB in 0..1."""
        scale = settings.scale
        lr = _grow(_to_rgb(tiling.crop(self.lr, tile)))
        if isinstance(self.reference, str) and self.reference == 'none':
            return lr, lr
        window = self.window(tile, side, settings)
        if isinstance(self.reference, Tensor):
            ref = tiling.crop_padded(self.reference, window)
        else:
            ref = enlarged(self.lr, window, scale)
        return lr, _grow(_to_rgb(ref))


def _to_rgb(image: Tensor) -> Tensor:
    """Turn BGR in 0..255 into RGB in 0..1."""
    return image.flip(-3).float().clamp(0, 255) / 255


def _grow(image: Tensor) -> Tensor:
    """Replicate the last row and column up to the networks' minimum size."""
    bottom, right = (max(0, MIN_SIZE - side) for side in image.shape[-2:])
    if not bottom and not right:
        return image
    batch = image.float().reshape(-1, *image.shape[-3:])
    grown = F.pad(batch, (0, right, 0, bottom), mode='replicate')
    shape = *image.shape[:-2], *grown.shape[-2:]
    return grown.reshape(shape).to(image.dtype)
