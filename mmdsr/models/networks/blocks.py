"""Building blocks that every network of the package shares."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    """Return a 3x3 convolution with padding 1 and a bias.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Stride.

    Returns:
        The layer.
    """
    return nn.Conv2d(in_channels, out_channels, 3, stride, 1)


def deconv3x3(in_channels: int, out_channels: int) -> nn.ConvTranspose2d:
    """Return a 3x3 transposed convolution that doubles height and width.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.

    Returns:
        The layer.
    """
    return nn.ConvTranspose2d(
        in_channels, out_channels, 3, stride=2, padding=1, output_padding=1
    )


class ResBlock(nn.Module):
    """Residual block: ``x + conv(relu(conv(x)))``, without normalization.

    Args:
        channels: Channels of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels, channels)
        self.conv2 = conv3x3(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: Features (N, C, H, W).

        Returns:
            Features (N, C, H, W).
        """
        out = self.conv2(F.relu(self.conv1(x), inplace=True))
        return out.add_(x)


def level_widths(channels: int | Sequence[int]) -> tuple[int, ...]:
    """Return the widths of the three levels of a pyramid.

    Args:
        channels: One width for all levels, or those of levels 1, 2, 3, fine to
            coarse.

    Returns:
        Three widths.

    Raises:
        ValueError: If there are not three widths, or one is not positive.
    """
    if isinstance(channels, int):
        channels = (channels,) * 3
    widths = tuple(channels)
    if len(widths) != 3 or min(widths) < 1:
        raise ValueError(
            'channels must be one width, or those of levels 1, 2, 3, all '
            f'positive, not {channels!r}.'
        )
    return widths


def res_blocks(channels: int, num_blocks: int) -> nn.Sequential:
    """Return ``num_blocks`` residual blocks in sequence.

    Args:
        channels: Channels of input and output.
        num_blocks: Number of blocks; 0 gives the identity.

    Returns:
        The blocks.
    """
    return nn.Sequential(*(ResBlock(channels) for _ in range(num_blocks)))


def init_refsr_weights(module: nn.Module) -> None:
    r"""Initialize the convolutions of a reference-based network in place.

    Every (transposed) convolution gets weights from
    :math:`\mathcal N(0, 0.5 \sqrt{2 / (k^2 C_{out})})` and bias 0; those of a
    :class:`ResBlock` are multiplied by 0.1, so that a deep stack starts near
    the identity. A module with its own initial values sets them afterwards.

    Args:
        module: The network.
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


def init_zeros(conv: nn.Conv2d) -> None:
    """Set the weights and the bias of a convolution to zero, in place.

    Args:
        conv: The layer.
    """
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)


def init_edges(conv: nn.Conv2d, gain: float = 8.0) -> None:
    """Make the filters of a first layer respond only to differences, in place.

    Each filter is drawn as in He et al. (2015) and its mean over the window
    is subtracted. Brightness, which the bicubic skip carries anyway, would
    outweigh the faint detail of sewer images a hundredfold, and all patches
    of the same brightness would match.

    Args:
        conv: The layer.
        gain: Compensates for the low contrast of edges: 8 gives features with
            about the spread of the image.
    """
    nn.init.kaiming_normal_(conv.weight, nonlinearity='relu')
    with torch.no_grad():
        conv.weight -= conv.weight.mean((2, 3), keepdim=True)
        conv.weight *= gain


def init_carry(
    conv: nn.Conv2d,
    parts: Sequence[int] = (0,),
    noise: float = 0.3,
    widths: Sequence[int] | None = None,
) -> None:
    """Make a convolution pass parts of its input through unchanged, in place.

    The input is a concatenation of maps. The weights are ``noise`` times
    those of He et al. (2015) plus the identity of the parts divided by their
    number. The smaller of the widths of input and output is passed on.

    Args:
        conv: The layer.
        parts: Positions in the concatenation of the maps that are passed on.
        noise: Factor of the random weights.
        widths: Widths of the concatenated maps. Defaults to None: all as wide
            as the output.
    """
    nn.init.kaiming_normal_(conv.weight, nonlinearity='relu')
    if widths is None:
        widths = [conv.out_channels] * (max(parts) + 1)
    center = conv.kernel_size[0] // 2
    with torch.no_grad():
        conv.weight *= noise
        for part in parts:
            start = sum(widths[:part])
            kept = min(widths[part], conv.out_channels)
            inputs = slice(start, start + kept)
            identity = torch.eye(kept) / len(parts)
            conv.weight[:kept, inputs, center, center] += identity


def init_upsample(
    deconv: nn.ConvTranspose2d, gain: float, noise: float = 0.1
) -> None:
    """Make a stride-2 3x3 deconvolution interpolate linearly, in place.

    The smaller of the two widths is interpolated.

    Args:
        deconv: The layer.
        gain: Factor of the interpolated map.
        noise: Factor of the random weights of He et al. (2015).
    """
    nn.init.kaiming_normal_(deconv.weight, nonlinearity='relu')
    tent = torch.tensor([0.5, 1.0, 0.5])
    with torch.no_grad():
        deconv.weight *= noise
        for channel in range(min(deconv.weight.shape[:2])):
            deconv.weight[channel, channel] += gain * torch.outer(tent, tent)
