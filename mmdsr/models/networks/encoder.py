"""Encoder and depth encoder (Table 1, Eq. 1 and 2)."""

from collections.abc import Iterable, Sequence
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from mmdsr.models.networks.blocks import (
    conv3x3,
    init_edges,
    init_refsr_weights,
    level_widths,
    res_blocks,
)
from mmdsr.registry import MODELS


def check_feature_level(feature_level: str) -> None:
    """Raise an error if a feature level is unknown.

    Args:
        feature_level: ``'scale'`` or ``'block'``.

    Raises:
        ValueError: If it is neither.
    """
    if feature_level not in ('scale', 'block'):
        raise ValueError(
            f"feature_level must be 'scale' or 'block', not {feature_level!r}."
        )


class EncoderStage(nn.Module):
    """One feature-extraction module of Table 1: convolution and ResBlocks.

    Args:
        in_channels: Channels of the input.
        channels: Channels of the output.
        num_blocks: Number of residual blocks.
        stride: Stride of the convolution.
    """

    def __init__(
        self, in_channels: int, channels: int, num_blocks: int, stride: int
    ) -> None:
        super().__init__()
        self.conv = conv3x3(in_channels, channels, stride)
        self.blocks = res_blocks(channels, num_blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the stage.

        Args:
            x: Features (N, C_in, H, W).

        Returns:
            Features (N, C, H / stride, W / stride).
        """
        return self.blocks(F.relu(self.conv(x), inplace=True))

    def block_features(self, x: Tensor) -> tuple[Tensor, ...]:
        """Apply the stage and return the features between its blocks.

        Args:
            x: Features (N, C_in, H, W).

        Returns:
            The output of every block, or that of the convolution if there is
            no block.
        """
        x = F.relu(self.conv(x), inplace=True)
        feats = []
        for block in self.blocks:
            x = block(x)
            feats.append(x)
        return tuple(feats or [x])


@MODELS.register_module()
class RefEncoder(nn.Module):
    """Three-level encoder of Table 1, shared by LR, Ref-down and Ref.

    Level 1 has the size of the input, level 2 one half and level 3 one
    quarter of it. Since Ref is four times larger than LR, its levels 3, 2, 1
    lie at x1, x2, x4 of the LR grid.

    Args:
        in_channels: 3 for images, 1 for depth.
        channels: Width of every level, or of level 1, 2, 3.
        num_blocks: Residual blocks per level: (4, 4, 4) in DSRNet-T, (2, 2, 2)
            in DSRNet-S.
    """

    strides = (1, 2, 2)

    def __init__(
        self,
        in_channels: int = 3,
        channels: int | Sequence[int] = 64,
        num_blocks: Sequence[int] = (4, 4, 4),
    ) -> None:
        super().__init__()
        if len(num_blocks) != len(self.strides):
            raise ValueError(
                'num_blocks needs three numbers, one per level, not '
                f'{tuple(num_blocks)}.'
            )
        self.widths = level_widths(channels)
        self.num_blocks = tuple(num_blocks)
        ins = (in_channels, *self.widths[:-1])
        stages = [
            EncoderStage(*sizes)
            for sizes in zip(
                ins, self.widths, num_blocks, self.strides, strict=True
            )
        ]
        self.stages = nn.ModuleList(stages)
        init_refsr_weights(self)
        if in_channels == 3:
            # In a depth map the value matters, in an image the detail.
            init_edges(stages[0].conv)
            for stage in stages[1:]:
                nn.init.kaiming_normal_(stage.conv.weight, nonlinearity='relu')

    def feature_channels(self, feature_level: str = 'scale') -> list[int]:
        """Return the widths of the features, without running the encoder.

        Args:
            feature_level: ``'scale'`` for the three levels or ``'block'`` for
                all of :meth:`block_features`.

        Returns:
            One width per feature map.

        Raises:
            ValueError: If ``feature_level`` is unknown.
        """
        check_feature_level(feature_level)
        channels = []
        for width, blocks in zip(self.widths, self.num_blocks, strict=True):
            maps = 1 if feature_level == 'scale' else max(blocks, 1)
            channels += [width] * maps
        return channels

    def forward(self, x: Tensor, levels: int = 3) -> tuple[Tensor, ...]:
        """Encode an image.

        Args:
            x: Image (N, in_channels, H, W) in [0, 1]; H and W are multiples of
                4 if all levels are computed.
            levels: Number of levels to compute, so that unused levels cost
                nothing.

        Returns:
            Level 1 (N, C1, H, W), level 2 (N, C2, H/2, W/2), level 3
            (N, C3, H/4, W/4).
        """
        feats = []
        for stage in self.stages[:levels]:
            x = stage(x)
            feats.append(x)
        return tuple(feats)

    def block_features(self, x: Tensor) -> tuple[tuple[Tensor, ...], ...]:
        """Encode an image and return the features between residual blocks.

        Args:
            x: See :meth:`forward`.

        Returns:
            For levels 1, 2, 3 the output of every residual block, or of the
            convolution of a level without blocks. The last one of a level is
            the feature of the level.
        """
        feats = []
        for stage in cast(Iterable[EncoderStage], self.stages):
            feats.append(stage.block_features(x))
            x = feats[-1][-1]
        return tuple(feats)


@MODELS.register_module()
class DepthEncoder(RefEncoder):
    """Encoder of depth maps, E_d of Eq. 1 and 2: one input channel.

    Args:
        channels: Width of every level, or of level 1, 2, 3.
        num_blocks: Residual blocks per level.
    """

    def __init__(
        self,
        channels: int | Sequence[int] = 64,
        num_blocks: Sequence[int] = (4, 4, 4),
    ) -> None:
        super().__init__(1, channels, num_blocks)
