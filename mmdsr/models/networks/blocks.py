"""Building blocks that every network of the package shares."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    """Return a 3x3 convolution with padding 1 and a bias.

    Args:
        in_channels (int): Channels of the input.
        out_channels (int): Channels of the output.
        stride (int): Stride. Defaults to 1.

    Returns:
        nn.Conv2d: The layer.
    """
    return nn.Conv2d(in_channels, out_channels, 3, stride, 1)


def deconv3x3(in_channels: int, out_channels: int) -> nn.ConvTranspose2d:
    """Return a 3x3 transposed convolution that doubles height and width.

    Args:
        in_channels (int): Channels of the input.
        out_channels (int): Channels of the output.

    Returns:
        nn.ConvTranspose2d: The layer.
    """
    return nn.ConvTranspose2d(
        in_channels, out_channels, 3, stride=2, padding=1, output_padding=1
    )


class ResBlock(nn.Module):
    """Residual block: ``x + conv(relu(conv(x)))``, without normalisation.

    Args:
        channels (int): Channels of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels, channels)
        self.conv2 = conv3x3(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x (Tensor): Features (N, C, H, W).

        Returns:
            Tensor: Features (N, C, H, W).
        """
        out = self.conv2(F.relu(self.conv1(x), inplace=True))
        return out.add_(x)


def res_blocks(channels: int, num_blocks: int) -> nn.Sequential:
    """Return ``num_blocks`` residual blocks in sequence.

    Args:
        channels (int): Channels of input and output.
        num_blocks (int): How many blocks; 0 gives the identity.

    Returns:
        nn.Sequential: The blocks.
    """
    return nn.Sequential(*(ResBlock(channels) for _ in range(num_blocks)))


def init_refsr_weights(module: nn.Module) -> None:
    r"""Initialise the convolutions of a reference-based network in place.

    Every (transposed) convolution: weights from
    :math:`\mathcal N(0, 0.5 \sqrt{2 / (k^2 C_{out})})`, bias 0; those of a
    :class:`ResBlock` times 0.1, so that a deep stack starts near the
    identity. A module with its own start values sets them afterwards.

    Args:
        module (nn.Module): The network.
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            fan_out = math.prod(layer.kernel_size) * layer.out_channels
            nn.init.normal_(layer.weight, std=0.5 * math.sqrt(2 / fan_out))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    for block in module.modules():
        if isinstance(block, ResBlock):
            with torch.no_grad():
                block.conv1.weight.mul_(0.1)
                block.conv2.weight.mul_(0.1)
