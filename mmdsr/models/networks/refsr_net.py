"""What all reference-based networks of the package share."""

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
    """All that a reference-based network computes.

    Args:
        sr: Super-resolved image (N, 3, 4H, 4W), not clamped.
        depth: D_LR that was used (N, 1, H, W).
        depth_ref: D_Ref-down that was used (N, 1, h, w).
        confidence: Match score R of every LR pixel (N, 1, H, W) in [-1, 1].
        feats: Encoder features of the padded LR: three levels, or one per
            residual block.
        depth_feats: Depth-encoder features of the padded D_LR, likewise.
        flow: Where the reference shows LR, in LR pixels (N, 2, H, W); see
            :mod:`mmdsr.models.networks.flow`.
        matched: The features that were compared, of a network that matches
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
    """The maps of a network as its convolutions take them.

    Args:
        lr: LR (N, 3, H, W).
        ref_down: Ref-down (N, 3, h, w).
        ref: Ref (N, 3, 4h, 4w).
        depth: D_LR (N, 1, H, W).
        depth_ref: D_Ref-down (N, 1, h, w).
    """

    lr: Tensor
    ref_down: Tensor
    ref: Tensor
    depth: Tensor | None = None
    depth_ref: Tensor | None = None


def crop_like(image: Tensor, lr: Tensor, scale: int = 1) -> Tensor:
    """Cut what padding added: the top-left ``scale`` times ``lr``'s size.

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
        feature_level: ``'scale'``: one per level, its last; or ``'block'``:
            all.

    Returns:
        The features, fine to coarse.

    Raises:
        ValueError: If ``feature_level`` is unknown.
    """
    check_feature_level(feature_level)
    if feature_level == 'scale':
        return tuple(level[-1] for level in blocks)
    return tuple(feat for level in blocks for feat in level)


def _arrange(image: Tensor) -> Tensor:
    """Store a map in the layout in which convolutions are fastest.

    That is channels last, save for training on a CPU: there the backward
    pass takes more than twice as long in it.
    """
    if torch.is_grad_enabled() and not image.is_cuda:
        return image.contiguous()
    # contiguous() takes a one-channel map for both layouts and leaves it as
    # it is; its strides decide the layout of all that follows.
    layout = torch.channels_last
    return torch.empty_like(image, memory_format=layout).copy_(image)


class RefSRNet(nn.Module):
    """Encoder, decoder and padding of a reference-based network.

    Args:
        channels: Width of all features, or of the encoder's level 1, 2, 3.
        encoder_blocks: Residual blocks per encoder level.
        decoder_blocks: Residual blocks of the decoder.
        block_size: Side of the matched blocks.
    """

    scale = SCALE
    #: Whether depth maps must be given as inputs.
    needs_depth = False
    #: Matching looks at all of the reference, wherever its parts lie.
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

    def feature_channels(
        self, feature_level: str = 'scale'
    ) -> tuple[list[int], list[int] | None]:
        """Return the widths of the features that ``explain`` gives.

        Args:
            feature_level: ``'scale'`` or ``'block'``, as of ``explain``.

        Returns:
            Of the encoder and of the depth encoder; ``None`` if there is none.
        """
        image = self.encoder.feature_channels(feature_level)
        if not hasattr(self, 'dmm'):
            return image, None
        return image, self.dmm.depth_encoder.feature_channels(feature_level)

    def pad(
        self,
        lr: Tensor,
        ref_down: Tensor,
        ref: Tensor,
        depth: Tensor | None = None,
        depth_ref: Tensor | None = None,
    ) -> Padded:
        """Pad LR for blocks and pyramid, Ref and Ref-down for the pyramid.

        Args:
            lr: LR (N, 3, H, W).
            ref_down: Ref-down (N, 3, h, w).
            ref: Ref (N, 3, Hr, Wr).
            depth: D_LR (N, 1, H, W).
            depth_ref: D_Ref-down (N, 1, h, w).

        Returns:
            The padded maps; Ref is four times Ref-down.
        """
        multiples = (self.lr_multiple, PYRAMID, SCALE * PYRAMID)
        maps = zip(
            (lr, ref_down, ref, depth, depth_ref),
            (*multiples, *multiples[:2]),
            strict=True,
        )
        return Padded(
            *(
                None if x is None else _arrange(pad_to_multiple(x, multiple))
                for x, multiple in maps
            )
        )
