"""Decoder with spatial adaptation and dual residual aggregation.

The paper describes no decoder; this is that of MASA-SR, on which the method
and the released network are built.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdsr.models.networks.blocks import (
    conv3x3,
    deconv3x3,
    init_carry,
    init_refsr_weights,
    init_upsample,
    init_zeros,
    level_widths,
    res_blocks,
)
from mmdsr.registry import MODELS


def upsample2(x: Tensor) -> Tensor:
    """Enlarge features by 2, bilinearly.

    Args:
        x: Features (N, C, H, W).

    Returns:
        Features (N, C, 2H, 2W).
    """
    return F.interpolate(
        x, scale_factor=2, mode='bilinear', align_corners=False
    )


class InstanceNorm(nn.Module):
    """Instance normalization without affine parameters.

    Computes the same as ``F.instance_norm`` with its epsilon of 1e-5, but
    keeps the channels-last layout, and unlike ``F.group_norm`` subtracts
    the mean before squaring, which float32 needs here.
    """

    eps = 1e-5

    def forward(self, x: Tensor) -> Tensor:
        """Normalize each channel of each sample over its pixels.

        Args:
            x: Features (N, C, H, W).

        Returns:
            Features (N, C, H, W) of mean 0 and variance 1.
        """
        var, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
        return (x - mean) * (var + self.eps).rsqrt()


class SAM(nn.Module):
    r"""Spatial adaptation: give the warped reference the statistics of LR.

    .. math::
        h = \mathrm{ReLU}(\mathrm{conv}[x, w]), \quad
        \gamma = \mathrm{conv}(h) + \mathrm{std}(x), \quad
        \beta = \mathrm{conv}(h) + \mathrm{mean}(x), \quad
        \mathrm{SAM}(x, w) = \mathrm{IN}(w) \odot \gamma + \beta

    with mean and (unbiased) standard deviation per channel over space. The
    convolutions of gamma and beta start at zero, so that at the start this
    is adaptive instance normalization.

    Args:
        channels: Width of both inputs.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_shared = conv3x3(2 * channels, channels)
        self.conv_gamma = conv3x3(channels, channels)
        self.conv_beta = conv3x3(channels, channels)
        self.norm = InstanceNorm()

    def init_weights(self) -> None:
        """Set the convolutions of gamma and beta to zero."""
        for conv in (self.conv_gamma, self.conv_beta):
            init_zeros(conv)

    def forward(self, x: Tensor, warped: Tensor) -> Tensor:
        """Adapt the warped features.

        Args:
            x: Features of the LR side (N, C, H, W).
            warped: Warped reference features (N, C, H, W).

        Returns:
            Adapted features (N, C, H, W).
        """
        hidden = self.conv_shared(torch.cat([x, warped], dim=1))
        hidden = F.relu(hidden, inplace=True)
        std, mean = torch.std_mean(x, dim=(2, 3), keepdim=True)
        # In place, as the x4 maps determine the peak memory.
        gamma = self.conv_gamma(hidden).add_(std)
        beta = self.conv_beta(hidden).add_(mean)
        del hidden
        return beta.addcmul_(self.norm(warped), gamma)


class DRAM(nn.Module):
    r"""Dual residual aggregation of LR-side and reference features.

    .. math::
        a &= \mathrm{ReLU}(\mathrm{up}_a(
             \mathrm{ReLU}(\mathrm{down}_a(r)) - x)) + r \\
        b &= \mathrm{ReLU}(\mathrm{up}_b(
             x - \mathrm{ReLU}(\mathrm{down}_b(r)) + x)) \\
        \mathrm{DRAM}(x, r) &= \mathrm{ReLU}(\mathrm{conv}[a, b])

    Args:
        channels: Width of the reference features and of the output.
        x_channels: Width of the LR side. Defaults to ``channels``.
    """

    def __init__(self, channels: int, x_channels: int | None = None) -> None:
        super().__init__()
        x_channels = x_channels or channels
        self.down_a = conv3x3(channels, x_channels, stride=2)
        self.up_a = deconv3x3(x_channels, channels)
        self.down_b = conv3x3(channels, x_channels, stride=2)
        self.up_b = deconv3x3(x_channels, channels)
        self.conv = conv3x3(2 * channels, channels)

    def init_weights(self) -> None:
        """Start as the enlarged LR features plus the reference features."""
        for conv in (self.down_a, self.down_b, self.up_a):
            nn.init.kaiming_normal_(conv.weight, nonlinearity='relu')
            with torch.no_grad():
                conv.weight *= 0.3
        # x enters the lower branch twice.
        init_upsample(self.up_b, gain=0.5)
        init_carry(self.conv, parts=(0, 1))

    def forward(self, x: Tensor, ref: Tensor) -> Tensor:
        """Aggregate the features.

        Args:
            x: Features of the LR side (N, C', H, W).
            ref: Reference features (N, C, 2H, 2W).

        Returns:
            Features (N, C, 2H, 2W).
        """
        residual_a = F.relu(self.down_a(ref), inplace=True) - x
        a = F.relu(self.up_a(residual_a), inplace=True) + ref
        residual_b = x - F.relu(self.down_b(ref), inplace=True)
        b = F.relu(self.up_b(residual_b + x), inplace=True)
        return F.relu(self.conv(torch.cat([a, b], dim=1)), inplace=True)


@MODELS.register_module()
class RefDecoder(nn.Module):
    """Turn LR features and warped reference features into an image.

    Levels 3, 2, 1 of Ref lie at x1, x2, x4 of LR, so their widths are those
    of the decoder at x1, x2, x4. Where widths differ, one SAM cannot serve
    all scales: each has its own, and a 1x1 convolution narrows the LR side
    before it is enlarged.

    Args:
        channels: Width of all features, or of levels 1, 2, 3.
        num_blocks: Residual blocks after levels 3, 2, 1 of LR and at x1, x2,
            x4: (2, 2, 2, 12, 8, 4) in DSRNet-T, (1, 1, 1, 6, 4, 2) in
            DSRNet-S.
    """

    def __init__(
        self,
        channels: int | Sequence[int] = 64,
        num_blocks: Sequence[int] = (2, 2, 2, 12, 8, 4),
    ) -> None:
        super().__init__()
        if len(num_blocks) != 6:
            raise ValueError(
                'num_blocks needs six numbers (levels 3, 2, 1, x1, x2, x4), '
                f'not {tuple(num_blocks)}.'
            )
        n3, n2, n1, nx1, nx2, nx4 = num_blocks
        self.widths = level_widths(channels)
        c1, c2, c3 = self.widths
        self.one_width = c1 == c2 == c3
        self.conv3 = conv3x3(c3, c3)
        self.blocks3 = res_blocks(c3, n3)
        self.conv2 = conv3x3(c3 + c2, c3)
        self.blocks2 = res_blocks(c3, n2)
        self.conv1 = conv3x3(c3 + c1, c3)
        self.blocks1 = res_blocks(c3, n1)

        self.sam = SAM(c3)
        self.merge_x1 = conv3x3(2 * c3, c3)
        self.blocks_x1 = res_blocks(c3, nx1)
        self.dram_x2 = DRAM(c2, c3)
        self.blocks_x2 = res_blocks(c2, nx2)
        self.dram_x4 = DRAM(c1, c2)
        self.blocks_x4 = res_blocks(c1, nx4)
        self.conv_out = conv3x3(c1, 3)
        if not self.one_width:
            self.narrow_x2 = nn.Conv2d(c3, c2, 1)
            self.sam_x2 = SAM(c2)
            self.narrow_x4 = nn.Conv2d(c2, c1, 1)
            self.sam_x4 = SAM(c1)
        self.init_weights()

    def init_weights(self) -> None:
        """Start near the bicubic image, with the detail of LR within reach.

        Random layers mix detail with brightness so that no linear function of
        the last features predicts the residual of a sewer image, and a
        training run of a few minutes does not improve on bicubic. Here every
        level passes on the LR features from the start.
        """
        init_refsr_weights(self)
        c1, c2, c3 = self.widths
        init_carry(self.conv3)
        init_carry(self.conv2, parts=(1,), widths=(c3, c2))
        init_carry(self.conv1, parts=(1,), widths=(c3, c1))
        init_carry(self.merge_x1, parts=(1,))
        for module in self.modules():
            if isinstance(module, (SAM, DRAM)):
                module.init_weights()
        if not self.one_width:
            init_carry(self.narrow_x2, widths=(c3,))
            init_carry(self.narrow_x4, widths=(c2,))
        with torch.no_grad():
            self.conv_out.weight *= 0.01

    def forward(
        self, lr_feats: Sequence[Tensor], warped: Sequence[Tensor]
    ) -> Tensor:
        """Decode the features.

        Args:
            lr_feats: LR features (N, C1, H, W), (N, C2, H/2, W/2),
                (N, C3, H/4, W/4).
            warped: Warped reference features (N, C3, H, W), (N, C2, 2H, 2W),
                (N, C1, 4H, 4W).

        Returns:
            Image residual (N, 3, 4H, 4W), to be added to the enlarged LR
            image.
        """
        f1, f2, f3 = lr_feats
        w1, w2, w4 = warped
        x = self.blocks3(F.relu(self.conv3(f3), inplace=True))
        x = torch.cat([upsample2(x), f2], dim=1)
        x = self.blocks2(F.relu(self.conv2(x), inplace=True))
        x = torch.cat([upsample2(x), f1], dim=1)
        x = self.blocks1(F.relu(self.conv1(x), inplace=True))

        x = torch.cat([self.sam(x, w1), x], dim=1)
        x = self.blocks_x1(F.relu(self.merge_x1(x), inplace=True))
        x = self.dram_x2(x, self._adapt('x2', x, w2))
        x = self.blocks_x2(x)
        x = self.dram_x4(x, self._adapt('x4', x, w4))
        x = self.blocks_x4(x)
        return self.conv_out(x)

    def _adapt(self, scale: str, x: Tensor, warped: Tensor) -> Tensor:
        """Give the warped features the statistics of the enlarged ``x``."""
        if self.one_width:
            return self.sam(upsample2(x), warped)
        x = getattr(self, f'narrow_{scale}')(x)
        return getattr(self, f'sam_{scale}')(upsample2(x), warped)
