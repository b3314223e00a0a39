"""What all reference-based networks of the package share."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmdsr.models.networks.padding import (
    PYRAMID,
    SCALE,
    lr_multiple,
    pad_to_multiple,
)
from mmdsr.registry import MODELS


class DSROutput(NamedTuple):
    """All that a reference-based network computes.

    Args:
        sr (Tensor): Super-resolved image (N, 3, 4H, 4W), not clamped.
        depth (Tensor, optional): D_LR that was used (N, 1, H, W).
        depth_ref (Tensor, optional): D_Ref-down that was used (N, 1, h, w).
        confidence (Tensor): Match score R of every LR pixel (N, 1, H, W)
            in [-1, 1].
        feats (tuple[Tensor, ...]): Encoder features of the padded LR: three
            levels, or one per residual block.
        depth_feats (tuple[Tensor, ...], optional): Depth-encoder features
            of the padded D_LR, likewise.
        flow (Tensor, optional): Where the reference shows LR, in LR pixels
            (N, 2, H, W); see :mod:`mmdsr.models.networks.flow`.
    """

    sr: Tensor
    depth: Tensor | None
    depth_ref: Tensor | None
    confidence: Tensor
    feats: tuple[Tensor, ...]
    depth_feats: tuple[Tensor, ...] | None
    flow: Tensor | None = None


def crop_like(image: Tensor, lr: Tensor, scale: int = 1) -> Tensor:
    """Cut what padding added: the top-left ``scale`` times ``lr``'s size.

    Args:
        image (Tensor): Map (N, C, H', W').
        lr (Tensor): The LR image before padding (N, 3, H, W).
        scale (int): Size of ``image`` relative to LR. Defaults to 1.

    Returns:
        Tensor: Map (N, C, scale * H, scale * W).
    """
    height, width = lr.shape[-2:]
    return image[..., : height * scale, : width * scale]


def chosen_feats(
    levels: Sequence[Tensor], blocks: Sequence[Tensor] | None
) -> tuple[Tensor, ...]:
    """Return the block-level features if asked for, else the levels.

    Args:
        levels (Sequence[Tensor]): Features of the three levels.
        blocks (Sequence[Tensor], optional): Features of the blocks.

    Returns:
        tuple[Tensor, ...]: One of the two.
    """
    return tuple(levels if blocks is None else blocks)


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
        channels (int or Sequence[int]): Width of all features, or of the
            encoder's level 1, 2, 3.
        encoder_blocks (Sequence[int]): Residual blocks per encoder level.
        decoder_blocks (Sequence[int]): Residual blocks of the decoder.
        block_size (int): Side of the matched blocks.
    """

    scale = SCALE
    #: Whether depth maps must be given as inputs.
    needs_depth = False

    def __init__(
        self,
        channels: int | Sequence[int],
        encoder_blocks: Sequence[int],
        decoder_blocks: Sequence[int],
        block_size: int,
    ) -> None:
        super().__init__()
        self.encoder = MODELS.build(
            dict(
                type='mmdsr.RefEncoder',
                channels=channels,
                num_blocks=encoder_blocks,
            )
        )
        self.decoder = MODELS.build(
            dict(
                type='mmdsr.RefDecoder',
                channels=channels,
                num_blocks=decoder_blocks,
            )
        )
        self.lr_multiple = lr_multiple(block_size)

    def feature_channels(
        self, feature_level: str = 'scale'
    ) -> tuple[list[int], list[int] | None]:
        """Return the widths of what ``return_feats`` gives.

        Args:
            feature_level (str): ``'scale'`` or ``'block'``, the value of
                ``return_feats``. Defaults to 'scale'.

        Returns:
            tuple[list[int], list[int] or None]: Of the encoder and of the
            depth encoder; ``None`` if there is none.
        """
        image = self.encoder.feature_channels(feature_level)
        if not hasattr(self, 'dmm'):
            return image, None
        return image, self.dmm.depth_encoder.feature_channels(feature_level)

    def pad_lr(self, x: Tensor) -> Tensor:
        """Pad LR or its depth for blocks and pyramid.

        Args:
            x (Tensor): Map (N, C, H, W).

        Returns:
            Tensor: Padded map.
        """
        return _arrange(pad_to_multiple(x, self.lr_multiple))

    def pad_ref_down(self, x: Tensor) -> Tensor:
        """Pad Ref-down or its depth for the pyramid.

        Args:
            x (Tensor): Map (N, C, h, w).

        Returns:
            Tensor: Padded map.
        """
        return _arrange(pad_to_multiple(x, PYRAMID))

    def pad_ref(self, x: Tensor) -> Tensor:
        """Pad Ref so that it is four times the padded Ref-down.

        Args:
            x (Tensor): Image (N, 3, Hr, Wr).

        Returns:
            Tensor: Padded image.
        """
        return _arrange(pad_to_multiple(x, SCALE * PYRAMID))
