"""Common parts of the reference-based networks that match blocks."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmdsr.models.networks.decoder import RefDecoder
from mmdsr.models.networks.drimm import Matched
from mmdsr.models.networks.encoder import RefEncoder, check_feature_level
from mmdsr.models.networks.padding import (
    PYRAMID,
    SCALE,
    lr_multiple,
    pad_to_multiple,
)


class DSROutput(NamedTuple):
    """All results of a reference-based network.

    Args:
        sr: Super-resolved image (N, 3, 4H, 4W), not clamped.
        depth: D_LR that was used (N, 1, H, W).
        depth_ref: D_Ref-down that was used (N, 1, h, w).
        confidence: Match score R of every LR pixel (N, 1, H, W) in [-1, 1].
        feats: Encoder features of the padded LR: three levels, or one per
            residual block.
        depth_feats: Depth-encoder features of the padded D_LR, in the same
            order.
        flow: Where the reference shows LR, in LR pixels (N, 2, H, W); see
            :mod:`mmdsr.models.networks.flow`.
        matched: The features that were compared, if the network matches
            blocks.
    """

    sr: Tensor
    depth: Tensor | None
    depth_ref: Tensor | None
    confidence: Tensor
    feats: tuple[Tensor, ...]
    depth_feats: tuple[Tensor, ...] | None
    flow: Tensor | None = None
    matched: Matched | None = None


class Padded(NamedTuple):
    """The padded images of a network.

    Args:
        lr: LR (N, 3, H, W).
        ref_down: Ref-down (N, 3, h, w).
        ref: Ref (N, 3, 4h, 4w).
    """

    lr: Tensor
    ref_down: Tensor
    ref: Tensor


def crop_like(image: Tensor, lr: Tensor, scale: int = 1) -> Tensor:
    """Remove padding: keep the top-left ``scale`` times the size of ``lr``.

    Args:
        image: Map (N, C, H', W').
        lr: The LR image before padding (N, 3, H, W).
        scale: Size of ``image`` relative to LR.

    Returns:
        Map (N, C, scale * H, scale * W).
    """
    height, width = lr.shape[-2:]
    return image[..., : height * scale, : width * scale]


def choose_feats(
    blocks: Sequence[Sequence[Tensor]], feature_level: str
) -> tuple[Tensor, ...]:
    """Choose among the features of an encoder.

    Args:
        blocks: Features of the blocks of each level, see
            :meth:`RefEncoder.block_features`.
        feature_level: ``'scale'`` for the last one of each level, ``'block'``
            for all.

    Returns:
        The features, fine to coarse.

    Raises:
        ValueError: If ``feature_level`` is unknown.
    """
    check_feature_level(feature_level)
    if feature_level == 'scale':
        return tuple(level[-1] for level in blocks)
    return tuple(feat for level in blocks for feat in level)


def arrange(image: Tensor, multiple: int) -> Tensor:
    """Pad a map and store it in the layout in which convolutions are fastest.

    That is channels last, except for training on a CPU, where the backward
    pass takes more than twice as long with it.

    Args:
        image: Map (N, C, H, W).
        multiple: Required divisor of both sides.

    Returns:
        The padded map.
    """
    image = pad_to_multiple(image, multiple)
    if torch.is_grad_enabled() and not image.is_cuda:
        return image.contiguous()
    # For contiguous(), a one-channel map is in both layouts and is unchanged;
    # its strides determine the layout of everything that follows.
    layout = torch.channels_last
    return torch.empty_like(image, memory_format=layout).copy_(image)


class RefSRNet(nn.Module):
    """Encoder, decoder and padding of a reference-based network.

    Args:
        channels: Width of all features, or of levels 1, 2, 3 of the encoder.
        encoder_blocks: Residual blocks per encoder level.
        decoder_blocks: Residual blocks of the decoder.
        block_size: Side of the matched blocks.
    """

    scale = SCALE
    #: Matching looks at the whole reference, wherever its parts lie.
    searches_from_center = False

    def __init__(
        self,
        channels: int | Sequence[int],
        encoder_blocks: Sequence[int],
        decoder_blocks: Sequence[int],
        block_size: int,
    ) -> None:
        super().__init__()
        self.encoder = RefEncoder(3, channels, encoder_blocks)
        self.decoder = RefDecoder(channels, decoder_blocks)
        self.lr_multiple = lr_multiple(block_size)

    @property
    def needs_depth(self) -> bool:
        """Whether depth maps must be given as inputs."""
        return False

    def feature_channels(
        self, feature_level: str = 'scale'
    ) -> tuple[list[int], list[int] | None]:
        """Return the widths of the features that ``explain`` returns.

        Args:
            feature_level: ``'scale'`` or ``'block'``, see ``explain``.

        Returns:
            Widths of the encoder and of the depth encoder, ``None`` if there
            is no depth encoder.
        """
        return self.encoder.feature_channels(feature_level), None

    def pad(self, lr: Tensor, ref_down: Tensor, ref: Tensor) -> Padded:
        """Pad LR for blocks and pyramid, Ref and Ref-down for the pyramid.

        Args:
            lr: LR (N, 3, H, W).
            ref_down: Ref-down (N, 3, h, w).
            ref: Ref (N, 3, Hr, Wr).

        Returns:
            The padded images; Ref is four times Ref-down.
        """
        return Padded(
            arrange(lr, self.lr_multiple),
            arrange(ref_down, PYRAMID),
            arrange(ref, SCALE * PYRAMID),
        )
