"""DSRNet, the network of the paper (Fig. 2)."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from mmdsr.models.networks.dmm import DMM
from mmdsr.models.networks.padding import (
    PYRAMID,
    SCALE,
    check_depth,
    pad_to_multiple,
    reduced_reference,
    upscale,
)
from mmdsr.models.networks.refsr_net import (
    DSROutput,
    RefSRNet,
    arrange,
    choose_feats,
    crop_like,
)
from mmdsr.registry import MODELS


@MODELS.register_module()
class DSRNet(RefSRNet):
    """Depth-guided, reference-based x4 super-resolution.

    Args:
        variant: ``'paper'``: fusion by convolutions and deconvolutions, depth
            network inside, bicubic score maps. ``'released'``: the authors'
            released network, i.e. fusion by one shared convolution, depth maps
            as inputs, bilinear score maps.
        channels: Width of all features, or of levels 1, 2, 3 of the encoders;
            the decoder has those widths at x4, x2, x1.
        encoder_blocks: Residual blocks per level of both encoders (Table 1).
            Defaults to those of DSRNet-T.
        decoder_blocks: Residual blocks of the decoder, see
            :class:`RefDecoder`. Defaults to those of DSRNet-T.
        depth_net: Config of the depth network, or ``None`` to take depth maps
            as inputs. ``'auto'`` is ``mmdsr.DepthUNet`` of width 16
            in the paper's variant and ``None`` in the released one.
        block_size: Side of the matched blocks.
        dilations: Dilations of the coarse search.
        crop_ratio: Window side over block side.
        depth_encoder_blocks: Residual blocks per level of the depth encoder.
            Defaults to ``encoder_blocks``.

    Raises:
        ValueError: If ``variant`` is unknown.
    """

    def __init__(
        self,
        variant: str = 'paper',
        channels: int | Sequence[int] = 64,
        encoder_blocks: Sequence[int] = (4, 4, 4),
        decoder_blocks: Sequence[int] = (2, 2, 2, 12, 8, 4),
        depth_net: dict[str, Any] | str | None = 'auto',
        block_size: int = 16,
        dilations: Sequence[int] = (1,),
        crop_ratio: float = 1.5,
        depth_encoder_blocks: Sequence[int] | None = None,
    ) -> None:
        super().__init__(
            channels,
            encoder_blocks,
            decoder_blocks,
            block_size,
        )
        if depth_net == 'auto':
            depth_net = None
            if variant == 'paper':
                depth_net = dict(type='mmdsr.DepthUNet')
        self.depth_net = MODELS.build(depth_net) if depth_net else None
        self.dmm = DMM(
            variant,
            channels,
            depth_encoder_blocks or encoder_blocks,
            block_size,
            dilations,
            crop_ratio,
        )

    @property
    def needs_depth(self) -> bool:
        """Whether depth maps must be given because none are predicted."""
        return self.depth_net is None

    def forward(
        self,
        lr: Tensor,
        ref: Tensor,
        ref_down: Tensor | None = None,
        depth: Tensor | None = None,
        depth_ref: Tensor | None = None,
    ) -> Tensor:
        """Super-resolve images (Fig. 2 of the paper).

        Args:
            lr: LR images (N, 3, H, W), RGB in [0, 1], H, W >= 16.
            ref: Reference images (N, 3, Hr, Wr), RGB in [0, 1], any size >=
                16. ``ref=lr`` is the paper's single-image mode.
            ref_down: Reference reduced by 4, (N, 3, ceil(Hr / 4), ceil(Wr /
                4)). Computed from ``ref`` by an antialiased bicubic filter
                by default.
            depth: Normalized inverse depth of LR (N, 1, H, W) in [0, 1].
                Predicted by default.
            depth_ref: Normalized inverse depth of Ref-down (N, 1, h, w).

        Returns:
            Image (N, 3, 4H, 4W), not clamped.

        Raises:
            ValueError: If an input has a wrong shape or depth is missing.
        """
        ref_down = reduced_reference(lr, ref, ref_down)
        depths = self.extract_depths(lr, ref_down, depth, depth_ref)
        x = self.pad(lr, ref_down, ref)
        fused, match = self.dmm(
            self.encoder(x.lr),
            self.encoder(x.ref_down, self.dmm.ref_down_levels),
            self.encoder(x.ref),
            *self.pad_depths(*depths),
        )
        sr = self.decoder(fused, match.warped) + upscale(x.lr)
        return crop_like(sr, lr, SCALE)

    def explain(
        self,
        lr: Tensor,
        ref: Tensor,
        ref_down: Tensor | None = None,
        depth: Tensor | None = None,
        depth_ref: Tensor | None = None,
        feature_level: str = 'scale',
    ) -> DSROutput:
        """Super-resolve images and return all intermediate results.

        Args:
            lr: See :meth:`forward`.
            ref: See :meth:`forward`.
            ref_down: See :meth:`forward`.
            depth: See :meth:`forward`.
            depth_ref: See :meth:`forward`.
            feature_level: ``'scale'``: features of the three levels;
                ``'block'``: of all residual blocks.

        Returns:
            Image, depth maps, confidence, features and match.

        Raises:
            ValueError: As in :meth:`forward`, or if ``feature_level`` is
                unknown.
        """
        ref_down = reduced_reference(lr, ref, ref_down)
        depths = self.extract_depths(lr, ref_down, depth, depth_ref)
        x = self.pad(lr, ref_down, ref)
        depth, depth_ref = self.pad_depths(*depths)
        levels = self.dmm.ref_down_levels
        blocks = self.encoder.block_features(x.lr)
        depth_blocks = self.dmm.depth_encoder.block_features(depth)
        fused, match = self.dmm.match(
            choose_feats(blocks, 'scale'),
            self.encoder(x.ref_down, levels),
            self.encoder(x.ref),
            choose_feats(depth_blocks, 'scale'),
            self.dmm.depth_encoder(depth_ref, levels),
        )
        sr = self.decoder(fused, match.warped) + upscale(x.lr)
        return DSROutput(
            crop_like(sr, lr, SCALE),
            *depths,
            crop_like(match.confidence, lr),
            choose_feats(blocks, feature_level),
            choose_feats(depth_blocks, feature_level),
            crop_like(match.flow, lr),
            match.matched,
        )

    def feature_channels(
        self, feature_level: str = 'scale'
    ) -> tuple[list[int], list[int] | None]:
        """Return the widths of the features that :meth:`explain` returns.

        Args:
            feature_level: See :meth:`explain`.

        Returns:
            Widths of the encoder and of the depth encoder.
        """
        image, _ = super().feature_channels(feature_level)
        return image, self.dmm.depth_encoder.feature_channels(feature_level)

    def pad_depths(
        self, depth: Tensor, depth_ref: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Pad the depth maps like LR and Ref-down.

        Args:
            depth: D_LR (N, 1, H, W).
            depth_ref: D_Ref-down (N, 1, h, w).

        Returns:
            The padded maps.
        """
        return (
            arrange(depth, self.lr_multiple),
            arrange(depth_ref, PYRAMID),
        )

    def extract_depths(
        self,
        lr: Tensor,
        ref_down: Tensor,
        depth: Tensor | None,
        depth_ref: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Return the given depth maps of LR and Ref-down, or predict them.

        Args:
            lr: LR (N, 3, H, W).
            ref_down: Ref-down (N, 3, h, w).
            depth: Given depth of LR (N, 1, H, W).
            depth_ref: Given depth of Ref-down (N, 1, h, w).

        Returns:
            Normalized inverse depth (N, 1, H, W) and (N, 1, h, w).

        Raises:
            ValueError: If a map is missing or has the wrong shape.
        """
        return (
            self._extract_depth(lr, depth, 'depth'),
            self._extract_depth(ref_down, depth_ref, 'depth_ref'),
        )

    def _extract_depth(
        self, image: Tensor, depth: Tensor | None, name: str
    ) -> Tensor:
        if depth is not None:
            check_depth(name, depth, image)
            return depth
        if self.depth_net is None:
            raise ValueError(
                f'{name} must be given because this network has no depth '
                'network.'
            )
        # U pools four times; the padding is removed again.
        padded = pad_to_multiple(image, self.depth_net.min_size)
        return crop_like(self.depth_net(padded), image)
