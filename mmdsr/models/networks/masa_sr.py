"""MASA-SR, the network that DSRNet extends by depth."""

from collections.abc import Sequence

from torch import Tensor

from mmdsr.models.networks.drimm import DRIMM
from mmdsr.models.networks.padding import SCALE, reduced_reference, upscale
from mmdsr.models.networks.refsr_net import (
    DSROutput,
    RefSRNet,
    choose_feats,
    crop_like,
)
from mmdsr.registry import MODELS


@MODELS.register_module()
class MASASRNet(RefSRNet):
    """DSRNet without depth, which matches small blocks with dilated patches.

    Args:
        channels: Width of all features, or of levels 1, 2, 3 of the encoder.
        encoder_blocks: Residual blocks per encoder level.
        decoder_blocks: Residual blocks of the decoder.
        block_size: Side of the matched blocks.
        dilations: Dilations of the coarse search.
        crop_ratio: Window side over block side.
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
        self.drimm = DRIMM(
            block_size, dilations, crop_ratio, score_mode='bilinear'
        )

    def forward(
        self,
        lr: Tensor,
        ref: Tensor,
        ref_down: Tensor | None = None,
    ) -> Tensor:
        """Super-resolve images.

        Args:
            lr: LR images (N, 3, H, W), RGB in [0, 1], H, W >= 16.
            ref: Reference images (N, 3, Hr, Wr), RGB in [0, 1], any size >=
                16. ``ref=lr`` is the single-image mode.
            ref_down: Reference reduced by 4, (N, 3, ceil(Hr / 4), ceil(Wr /
                4)). Computed from ``ref`` by an antialiased bicubic filter
                by default.

        Returns:
            Image (N, 3, 4H, 4W), not clamped.

        Raises:
            ValueError: If an input has a wrong shape.
        """
        x = self.pad(lr, reduced_reference(lr, ref, ref_down), ref)
        feats = self.encoder(x.lr)
        match = self.drimm(
            feats[0],
            self.encoder(x.ref_down, levels=1)[0],
            self.encoder(x.ref)[::-1],
        )
        sr = self.decoder(feats, match.warped) + upscale(x.lr)
        return crop_like(sr, lr, SCALE)

    def explain(
        self,
        lr: Tensor,
        ref: Tensor,
        ref_down: Tensor | None = None,
        feature_level: str = 'scale',
    ) -> DSROutput:
        """Super-resolve images and return all intermediate results.

        Args:
            lr: See :meth:`forward`.
            ref: See :meth:`forward`.
            ref_down: See :meth:`forward`.
            feature_level: ``'scale'``: features of the three levels;
                ``'block'``: of all residual blocks.

        Returns:
            Image, confidence, features and match.

        Raises:
            ValueError: As in :meth:`forward`, or if ``feature_level`` is
                unknown.
        """
        x = self.pad(lr, reduced_reference(lr, ref, ref_down), ref)
        blocks = self.encoder.block_features(x.lr)
        feats = choose_feats(blocks, 'scale')
        match = self.drimm(
            feats[0],
            self.encoder(x.ref_down, levels=1)[0],
            self.encoder(x.ref)[::-1],
        )
        sr = self.decoder(feats, match.warped) + upscale(x.lr)
        return DSROutput(
            crop_like(sr, lr, SCALE),
            None,
            None,
            crop_like(match.confidence, lr),
            choose_feats(blocks, feature_level),
            None,
            crop_like(match.flow, lr),
            match.matched,
        )
