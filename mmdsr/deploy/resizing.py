"""Resizing by whole factors, as convolutions.

Every runtime has fast convolutions; bicubic and antialiased resizing are slow
in some, missing in others, and rounded in a third way elsewhere. Except for
rounding, the results are those of ``torch.nn.functional.interpolate``.

*Folded* means that the ``scale ** 2`` pixels of a cell are channels, in the
order of ``torch.nn.functional.pixel_shuffle``.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdsr.models.networks.padding import SCALE, pad_to_multiple


def _cubic(distance: float, a: float) -> float:
    """Return the weight of the cubic convolution kernel."""
    x = abs(distance)
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    if x < 2:
        return (((x - 5) * x + 8) * x - 4) * a
    return 0.0


def _linear(distance: float) -> float:
    """Return the weight of linear interpolation."""
    return max(0.0, 1 - abs(distance))


def _reducing_taps() -> Tensor:
    """Weights (16,) of a row of pixels for one of the reduced image."""
    reach = 2 * SCALE
    taps = torch.tensor(
        # With antialiasing, torch uses Pillow's kernel, a = -0.5.
        [_cubic((i + 0.5 - reach) / SCALE, -0.5) for i in range(2 * reach)]
    )
    return taps / taps.sum()


def _enlarging_taps(scale: int, cubic: bool) -> Tensor:
    """Weights (scale, taps) of the pixels around one for its cell."""
    reach = 2 if cubic else 1
    return torch.tensor(
        [
            [
                _cubic(tap - place, -0.75) if cubic else _linear(tap - place)
                for tap in range(-reach, reach + 1)
            ]
            for place in ((t + 0.5) / scale - 0.5 for t in range(scale))
        ]
    )


class Reduce(nn.Module):
    """Reduce images by 4 as ``mmdsr.models.networks.padding.downscale``."""

    taps: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer('taps', _reducing_taps())

    def forward(self, image: Tensor) -> Tensor:
        """Reduce.

        Args:
            image: Images (N, 3, H, W).

        Returns:
            Images (N, 3, ceil(H / 4), ceil(W / 4)).
        """
        image = pad_to_multiple(image, SCALE)
        planes = image.flatten(0, 1).unsqueeze(1)
        edge = 2 * SCALE - SCALE // 2
        for shape, stride, padding in (
            ((1, 1, -1, 1), (SCALE, 1), (edge, 0)),
            ((1, 1, 1, -1), (1, SCALE), (0, edge)),
        ):
            kernel = self.taps.view(shape)
            total = F.conv2d(
                torch.ones_like(planes[:1]), kernel, None, stride, padding
            )
            # Pixels outside have no weight.
            planes = F.conv2d(planes, kernel, None, stride, padding) / total
        return planes.view(image.shape[0], 3, *planes.shape[-2:])


class EnlargeFolded(nn.Module):
    """Enlarge maps, bilinearly or bicubically.

    Args:
        channels: Channels of the maps.
        scale: Factor of the number of rows and columns.
        cubic: Whether to interpolate bicubically. Defaults to False.
    """

    kernel: Tensor

    def __init__(self, channels: int, scale: int, cubic: bool = False) -> None:
        super().__init__()
        taps = _enlarging_taps(scale, cubic)
        self.reach = taps.shape[1] // 2
        cell = torch.einsum('ai,bj->abij', taps, taps).flatten(0, 1)
        # One dense convolution: grouped ones are slow for so few channels.
        kernel = torch.zeros(channels, scale**2, channels, *cell.shape[-2:])
        for channel in range(channels):
            kernel[channel, :, channel] = cell
        self.register_buffer('kernel', kernel.flatten(0, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Enlarge.

        Args:
            image: Maps (N, C, H, W).

        Returns:
            Maps (N, C * scale ** 2, H, W), folded.
        """
        padded = F.pad(image, (self.reach,) * 4, mode='replicate')
        return F.conv2d(padded, self.kernel)
