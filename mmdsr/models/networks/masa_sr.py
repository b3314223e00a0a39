"""MASA-SR, the network that DSRNet adds depth to."""

from collections.abc import Sequence

from torch import Tensor

from mmdsr.models.networks.padding import (
    SCALE,
    check_images,
    downscale,
    upscale,
)
from mmdsr.models.networks.refsr_net import (
    DSROutput,
    RefSRNet,
    chosen_feats,
    crop_like,
)
from mmdsr.registry import MODELS


@MODELS.register_module()
class MASASRNet(RefSRNet):
    """DSRNet without depth, matched in small blocks with dilated patches.

    Args:
        channels (int or Sequence[int]): Width of all features, or of the
            encoder's level 1, 2, 3. Defaults to 64.
        encoder_blocks (Sequence[int]): Residual blocks per encoder level.
            Defaults to (4, 4, 4).
        decoder_blocks (Sequence[int]): Residual blocks of the decoder.
            Defaults to (2, 2, 2, 12, 8, 4).
        block_size (int): Side of the matched blocks. Defaults to 8.
        dilations (Sequence[int]): Dilations of the coarse search.
            Defaults to (1, 2, 3).
        crop_ratio (float): Window side over block side. Defaults to 1.5.
    """

    def __init__(
        self,
        channels: int | Sequence[int] = 64,
        encoder_blocks: Sequence[int] = (4, 4, 4),
        decoder_blocks: Sequence[int] = (2, 2, 2, 12, 8, 4),
        block_size: int = 8,
        dilations: Sequence[int] = (1, 2, 3),
        crop_ratio: float = 1.5,
    ) -> None:
        super().__init__(
            channels,
            encoder_blocks,
            decoder_blocks,
            block_size,
        )
        self.drimm = MODELS.build(
            dict(
                type='mmdsr.DRIMM',
                block_size=block_size,
                dilations=dilations,
                crop_ratio=crop_ratio,
                score_mode='bilinear',
            )
        )

    def forward(
        self,
        lr: Tensor,
        ref: Tensor,
        ref_down: Tensor | None = None,
        return_feats: bool | str = False,
    ) -> Tensor | DSROutput:
        """Super-resolve.

        Args:
            lr (Tensor): LR images (N, 3, H, W), RGB in [0, 1], H, W >= 16.
            ref (Tensor): Reference images (N, 3, Hr, Wr), RGB in [0, 1],
                any size >= 16. ``ref=lr`` is the single-image mode.
            ref_down (Tensor, optional): Reference reduced by 4,
                (N, 3, ceil(Hr / 4), ceil(Wr / 4)). Computed from ``ref`` by
                an antialiased bicubic filter when left out.
            return_feats (bool or str): ``True`` or ``'scale'``: return
                everything, with features of the three levels; ``'block'``:
                with those of the residual blocks. Defaults to False.

        Returns:
            Tensor or DSROutput: Image (N, 3, 4H, 4W), not clamped; with
            ``return_feats`` also confidence and features.

        Raises:
            ValueError: If an input has a wrong shape.
        """
        check_images(lr, ref, ref_down)
        if ref_down is None:
            ref_down = downscale(ref)

        padded = self.pad_lr(lr)
        blocks = [] if return_feats == 'block' else None
        feats = self.encoder(padded, block_feats=blocks)
        (ref_down_feat,) = self.encoder(self.pad_ref_down(ref_down), levels=1)
        ref_feats = self.encoder(self.pad_ref(ref))
        warped, confidence, flow = self.drimm(
            feats[0], ref_down_feat, ref_feats[::-1]
        )
        del ref_feats  # the largest tensors; decoding needs their room
        sr = crop_like(
            self.decoder(feats, warped) + upscale(padded), lr, SCALE
        )
        if not return_feats:
            return sr
        confidence = crop_like(confidence, lr)
        feats = chosen_feats(feats, blocks)
        flow = crop_like(flow, lr)
        return DSROutput(sr, None, None, confidence, feats, None, flow)
