"""Depth extraction network U (Section 3.1 of the paper)."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdsr.registry import MODELS


class DoubleConv(nn.Sequential):
    """Two 3x3 convolutions, each with group normalization and ReLU.

    Group normalization uses only the statistics of one sample:
    training with batch size 1 and evaluation compute the same function.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output, a multiple of ``groups``.
        groups: Groups of the normalization.
    """

    def __init__(
        self, in_channels: int, out_channels: int, groups: int
    ) -> None:
        layers: list[nn.Module] = []
        for width in (in_channels, out_channels):
            layers += [
                nn.Conv2d(width, out_channels, 3, padding=1, bias=False),
                nn.GroupNorm(groups, out_channels),
                nn.ReLU(inplace=True),
            ]
        super().__init__(*layers)


class ResizeConv(nn.Sequential):
    """Bilinear upsampling by 2, then a 3x3 convolution.

    A transposed convolution computes the four pixels of a 2x2 cell with four
    different filters, which makes the map grainy. Here all pixels share one.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Upsample(scale_factor=2, mode='bilinear', align_corners=False),
            nn.Conv2d(in_channels, out_channels, 3, padding=1),
        )


@MODELS.register_module()
class DepthUNet(nn.Module):
    """U-Net that predicts the depth map of an RGB image.

    Four poolings by 2, four upsampling steps, skip connections, no output
    activation. LR and Ref-down share the weights. The paper gives neither
    width nor normalization; width 16 keeps the network light, 64 is the
    common U-Net that the released code names.

    Args:
        base_channels: Width of the first level, a multiple of ``groups``;
            doubled four times.
        groups: Groups of the normalization.
        upsample: Upsampling: ``'deconv'``, 2x2 transposed convolutions, as
            in the common U-Net; ``'resize'``, see :class:`ResizeConv`, for a
            smooth map.

    Raises:
        ValueError: If ``base_channels`` is not a multiple of ``groups``, or
            ``upsample`` is unknown.
    """

    min_size = 16

    def __init__(
        self,
        base_channels: int = 16,
        groups: int = 8,
        upsample: str = 'deconv',
    ) -> None:
        super().__init__()
        if upsample not in ('deconv', 'resize'):
            raise ValueError(
                f"upsample must be 'deconv' or 'resize', not {upsample!r}."
            )
        if base_channels % groups:
            raise ValueError(
                f'base_channels ({base_channels}) must be a multiple of '
                f'groups ({groups}).'
            )
        widths = [base_channels * 2**level for level in range(5)]
        self.stem = DoubleConv(3, widths[0], groups)
        self.downs = nn.ModuleList(
            DoubleConv(low, high, groups) for low, high in pairwise(widths)
        )
        self.ups = nn.ModuleList(
            ResizeConv(high, low)
            if upsample == 'resize'
            else nn.ConvTranspose2d(high, low, 2, stride=2)
            for low, high in zip(widths[-2::-1], widths[:0:-1], strict=True)
        )
        self.merges = nn.ModuleList(
            DoubleConv(2 * low, low, groups) for low in widths[-2::-1]
        )
        self.head = nn.Conv2d(widths[0], 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Predict depth.

        Args:
            image: RGB image (N, 3, H, W) in [0, 1], H, W >= 16.

        Returns:
            Normalized inverse depth (N, 1, H, W), trained towards [0, 1] but
            not clamped.

        Raises:
            ValueError: If a side is shorter than 16.
        """
        if min(image.shape[-2:]) < self.min_size:
            raise ValueError(
                f'DepthUNet needs images of at least {self.min_size}x'
                f'{self.min_size} pixels, not {tuple(image.shape[-2:])}.'
            )
        skips = [self.stem(image)]
        for down in self.downs:
            skips.append(down(F.max_pool2d(skips[-1], 2)))
        x = skips.pop()
        for up, merge in zip(self.ups, self.merges, strict=True):
            skip = skips.pop()
            x = up(x)
            # An odd size loses its last row or column in pooling.
            missing = [s - u for s, u in zip(skip.shape, x.shape, strict=True)]
            x = F.pad(x, (0, missing[-1], 0, missing[-2]))
            x = merge(torch.cat([skip, x], dim=1))
        return self.head(x)
