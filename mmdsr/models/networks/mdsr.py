"""MDSR (Lim et al., CVPR Workshops 2017), for the one scale factor 4."""

import torch.nn.functional as F
from torch import Tensor, nn

from mmdsr.models.networks.blocks import conv3x3, res_blocks
from mmdsr.models.networks.single_image import (
    SingleImageNet,
    add_mean_buffer,
)
from mmdsr.registry import MODELS


class _Preprocessing(nn.Module):
    """Residual block with 5x5 convolutions, for pre-processing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 5, padding=2)
        self.conv2 = nn.Conv2d(channels, channels, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block; shapes are unchanged."""
        return x + self.conv2(F.relu(self.conv1(x)))


@MODELS.register_module()
class MDSR(SingleImageNet):
    """Multi-scale variant of EDSR, reduced to the scale factor 4.

    The paper trains one network for the scale factors 2, 3 and 4, which share
    all but the pre-processing and the upsampling. This network, like the row
    in Table 2, has only the path of scale factor 4: two pre-processing blocks,
    residual blocks and pixel shuffles.

    Args:
        channels: Width of all features. Defaults to 64.
        num_blocks: Residual blocks. Defaults to 20, as in Table 2.
    """

    mean: Tensor

    def __init__(self, channels: int = 64, num_blocks: int = 20) -> None:
        super().__init__()
        add_mean_buffer(self)
        self.head = conv3x3(3, channels)
        self.preprocessing = nn.Sequential(
            _Preprocessing(channels), _Preprocessing(channels)
        )
        self.body = nn.Sequential(
            *res_blocks(channels, num_blocks), conv3x3(channels, channels)
        )
        self.upsampling = nn.Sequential(
            conv3x3(channels, 4 * channels),
            nn.PixelShuffle(2),
            conv3x3(channels, 4 * channels),
            nn.PixelShuffle(2),
        )
        self.tail = conv3x3(channels, 3)

    def enlarge(self, lr: Tensor) -> Tensor:
        """Super-resolve; see :class:`SingleImageNet`."""
        x = self.preprocessing(self.head(lr - self.mean))
        return self.tail(self.upsampling(x + self.body(x))) + self.mean
