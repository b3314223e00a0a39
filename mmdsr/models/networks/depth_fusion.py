"""Depth information fusion module (Eq. 3 and 4)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdsr.models.networks.blocks import (
    conv3x3,
    deconv3x3,
    init_carry,
    init_refsr_weights,
    level_widths,
)
from mmdsr.registry import MODELS


@MODELS.register_module()
class DepthFusion(nn.Module):
    """Fusion by convolutions and deconvolutions, from coarse to fine.

    The paper names three sets of (3x3 convolution, 3x3 deconvolution of stride
    2), each followed by ReLU. Starting at level 3, the third deconvolution
    would end at twice the LR size, where nothing can be matched, so it is
    omitted. Weights are shared by LR and Ref-down.

    Args:
        channels: Width of the image and the depth features, of every level or
            of levels 1, 2, 3.
    """

    #: Levels of Ref-down that contribute to the matched level-1 feature.
    ref_down_levels = 3

    def __init__(self, channels: int | Sequence[int] = 64) -> None:
        super().__init__()
        c1, c2, c3 = level_widths(channels)
        self.conv3 = conv3x3(2 * c3, c3)
        self.deconv3 = deconv3x3(c3, c2)
        self.conv2 = conv3x3(3 * c2, c2)
        self.deconv2 = deconv3x3(c2, c1)
        self.conv1 = conv3x3(3 * c1, c1)
        init_refsr_weights(self)
        # Initially the image features pass through: a random mixture would
        # hide their detail from matching and decoder.
        init_carry(self.conv3, parts=(0,))
        init_carry(self.conv2, parts=(1,))
        init_carry(self.conv1, parts=(1,))

    def forward(
        self, feats: Sequence[Tensor], depth_feats: Sequence[Tensor]
    ) -> tuple[Tensor, ...]:
        """Fuse image and depth features of three levels.

        Args:
            feats: Image features (N, C1, H, W), (N, C2, H/2, W/2),
                (N, C3, H/4, W/4).
            depth_feats: Depth features, same sizes.

        Returns:
            Fused features of the same three sizes; the first is F_LR (Eq. 3)
            or F_Ref-down (Eq. 4).
        """
        f1, f2, f3 = feats
        d1, d2, d3 = depth_feats
        g3 = F.relu(self.conv3(torch.cat([f3, d3], 1)), inplace=True)
        u2 = F.relu(self.deconv3(g3), inplace=True)
        g2 = F.relu(self.conv2(torch.cat([u2, f2, d2], 1)), inplace=True)
        u1 = F.relu(self.deconv2(g2), inplace=True)
        g1 = F.relu(self.conv1(torch.cat([u1, f1, d1], 1)), inplace=True)
        return g1, g2, g3


@MODELS.register_module()
class SharedDepthFusion(nn.Module):
    """Fusion of the released network: one 3x3 convolution for all levels.

    Args:
        channels: Width of the image and the depth features, the same on all
            levels.

    Raises:
        ValueError: If the levels differ in width.
    """

    #: Without deconvolutions, level 1 depends only on level 1.
    ref_down_levels = 1

    def __init__(self, channels: int | Sequence[int] = 64) -> None:
        super().__init__()
        width, *others = level_widths(channels)
        if set(others) != {width}:
            raise ValueError(
                'one convolution for all levels needs equal widths, not '
                f"channels={channels!r}: use variant='paper' for different "
                'widths.'
            )
        self.conv = conv3x3(2 * width, width)
        init_refsr_weights(self)
        init_carry(self.conv, parts=(0,))

    def forward(
        self, feats: Sequence[Tensor], depth_feats: Sequence[Tensor]
    ) -> tuple[Tensor, ...]:
        """Fuse image and depth features, each level on its own.

        Args:
            feats: Image features, one (N, C, h, w) tensor per level.
            depth_feats: Depth features, same sizes.

        Returns:
            Fused features, same sizes.
        """
        return tuple(
            self.conv(torch.cat(pair, 1))
            for pair in zip(feats, depth_feats, strict=True)
        )
