"""Dense deep back-projection network (Haris et al., CVPR 2018), x4."""

import torch
from torch import Tensor, nn

from mmdsr.models.networks.blocks import conv3x3
from mmdsr.models.networks.single_image import (
    SingleImageNet,
    add_mean_buffer,
)
from mmdsr.registry import MODELS

#: Kernel, stride and padding of the projections for scale factor 4.
_PROJECTION = (8, 4, 2)


def _projection(channels: int, up: bool) -> nn.Sequential:
    """A (de)convolution by the scale factor, with its own PReLU."""
    layer = nn.ConvTranspose2d if up else nn.Conv2d
    return nn.Sequential(
        layer(channels, channels, *_PROJECTION), nn.PReLU(channels)
    )


class BackProjection(nn.Module):
    """Project to the other resolution, and correct by the error on return.

    Args:
        in_channels: Width of the concatenated maps that come in. If it is
            not ``channels``, a 1x1 convolution reduces it.
        channels: Width of the result.
        up: From LR to HR; otherwise from HR to LR.
    """

    def __init__(self, in_channels: int, channels: int, up: bool) -> None:
        super().__init__()
        self.reduce = nn.Sequential()
        if in_channels != channels:
            self.reduce = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1), nn.PReLU(channels)
            )
        self.project = _projection(channels, up)
        self.back = _projection(channels, not up)
        self.correct = _projection(channels, up)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the unit.

        Args:
            x: Features (N, in_channels, H, W).

        Returns:
            Features (N, channels, 4H, 4W), or (N, channels, H / 4, W / 4).
        """
        x = self.reduce(x)
        projected = self.project(x)
        return projected + self.correct(self.back(projected) - x)


@MODELS.register_module()
class DBPN(SingleImageNet):
    """D-DBPN: up- and down-projections, each fed by all before it.

    Args:
        first_channels: Width of the first convolution, ``n_0``. Defaults to
            128, as in Table 2.
        channels: Width of every projection, ``n_r``. Defaults to 32.
        stages: Up-projections, one more than down-projections. Defaults to
            6.
    """

    mean: Tensor

    def __init__(
        self,
        first_channels: int = 128,
        channels: int = 32,
        stages: int = 6,
    ) -> None:
        super().__init__()
        add_mean_buffer(self)
        self.initial = nn.Sequential(
            conv3x3(3, first_channels),
            nn.PReLU(first_channels),
            nn.Conv2d(first_channels, channels, 1),
            nn.PReLU(channels),
        )
        # The second up-projection sees the first down-projection only, not
        # the initial features.
        self.up = nn.ModuleList(
            BackProjection(max(number, 1) * channels, channels, up=True)
            for number in range(stages)
        )
        self.down = nn.ModuleList(
            BackProjection(number * channels, channels, up=False)
            for number in range(1, stages)
        )
        self.reconstruction = conv3x3(stages * channels, 3)

    def enlarge(self, lr: Tensor) -> Tensor:
        """Super-resolve; see :class:`SingleImageNet`."""
        large = [self.up[0](self.initial(lr - self.mean))]
        small: list[Tensor] = []
        for up, down in zip(self.up[1:], self.down, strict=True):
            small.append(down(torch.cat(large, 1)))
            large.append(up(torch.cat(small, 1)))
        return self.reconstruction(torch.cat(large, 1)) + self.mean
