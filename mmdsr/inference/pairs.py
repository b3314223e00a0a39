"""An image and its reference, what they are run with and what comes out."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from mmdsr.inference import tiling
from mmdsr.inference.references import enlarged
from mmdsr.models.networks.padding import MIN_SIZE

#: What a tile sees of its own enlargement on each side, in pixels of LR. A
#: match lies at the same place, and so wide a reference gives the windows of
#: the whole image: with 16 or 32 pixels more the mean difference from it rose
#: from 0.06 to 0.11 of 255 (256x256 pixels in tiles of 128).
_OWN_MARGIN = 0


@dataclass
class Settings:
    """How a network is run.

    Args:
        scale: How much it enlarges.
        multiple: What the start of a tile must be divisible by.
        tile: Side of a tile, ``'auto'``, or ``None`` for the whole image.
        overlap: Pixels that neighboring tiles share at least.
        batch: Images or tiles at a time, ``None`` to choose.
        precision: Of ``PRECISIONS``.
        centered: Whether the network looks for LR from the center of the
            reference on: a tile then sees that part of the reference which
            lies where it lies, and its neighbors take over where the match
            leaves it.
        explain: Whether to ask the network for its confidence in a reference,
            where there is one. Defaults to False.
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
    """An image as it comes out.

    Args:
        pixels: uint8 BGR (3, H * scale, W * scale).
        trust: Confidence of each pixel of LR in the reference (H, W), uint8,
            of 255; ``None`` without a reference, or if it was not asked for.
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
    """An image and its reference, of which parts are taken.

    Args:
        image: BGR (3, H, W) in 0..255.
        reference: Likewise, or what stands for it: ``'upscaled'``,
            ``'self'``, or ``'none'`` for a network that does without: it
            takes LR itself for that.
        name: What to call the image in messages.
    """

    image: Tensor
    reference: Tensor | str
    name: str = 'an image'

    def __post_init__(self) -> None:
        # Grown before cutting, as the network refuses less.
        self.lr = _grow(self.image)
        # What stands for a reference shows nothing that LR does not.
        self.has_reference = isinstance(self.reference, Tensor)
        if isinstance(self.reference, Tensor):
            self.reference = _grow(self.reference.to(self.image.device))
        elif self.reference == 'self':
            self.reference = self.lr

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of what the network sees."""
        return self.lr.shape[-2], self.lr.shape[-1]

    def ref_size(self, scale: int) -> tuple[int, int]:
        """Return height and width of the reference."""
        if isinstance(self.reference, Tensor):
            return self.reference.shape[-2], self.reference.shape[-1]
        height, width = self.size
        if self.reference == 'none':
            return height, width
        return height * scale, width * scale

    def margin(self, side: int, centered: bool = False) -> int:
        """Return what a tile sees of its reference on each side.

        Args:
            side: Largest side of the tiles.
            centered: See :class:`Settings`. Defaults to False.

        Returns:
            Pixels of the image.
        """
        if centered or isinstance(self.reference, str):
            return _OWN_MARGIN
        return side // 2

    def overlap(self, side: int, settings: Settings) -> int:
        """Return what neighboring tiles share at least.

        Args:
            side: Side of the tiles.
            settings: How the network is run.

        Returns:
            Pixels of the image.
        """
        if settings.centered and isinstance(self.reference, Tensor):
            return max(settings.overlap, side // 4)
        return settings.overlap

    def cut(
        self, tile: tiling.Tile, side: int, settings: Settings
    ) -> tuple[Tensor, Tensor]:
        """Return a tile and its part of the reference, RGB in 0..1."""
        scale = settings.scale
        lr = _grow(_to_rgb(tiling.crop(self.lr, tile)))
        if isinstance(self.reference, str) and self.reference == 'none':
            return lr, lr
        window = tiling.reference_window(
            tile,
            self.size,
            self.ref_size(scale),
            self.margin(side, settings.centered),
        )
        if isinstance(self.reference, Tensor):
            ref = tiling.crop(self.reference, window)
        else:
            ref = enlarged(self.lr, window, scale)
        return lr, _grow(_to_rgb(ref))


def _to_rgb(image: Tensor) -> Tensor:
    """Turn BGR in 0..255 into RGB in 0..1."""
    return image.flip(0).float().clamp(0, 255) / 255


def _grow(image: Tensor) -> Tensor:
    """Replicate the last row and column up to the networks' least size."""
    bottom, right = (max(0, MIN_SIZE - side) for side in image.shape[-2:])
    if not bottom and not right:
        return image
    grown = F.pad(image[None].float(), (0, right, 0, bottom), mode='replicate')
    return grown[0].to(image.dtype)
