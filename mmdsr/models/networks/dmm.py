"""DMM: depth matching module (Section 3.2 and Fig. 3 of the paper)."""

from collections.abc import Sequence

from torch import Tensor, nn

from mmdsr.models.networks.depth_fusion import DepthFusion, SharedDepthFusion
from mmdsr.models.networks.drimm import DRIMM, Match
from mmdsr.models.networks.encoder import DepthEncoder
from mmdsr.registry import MODELS


@MODELS.register_module()
class DMM(nn.Module):
    """Depth encoder, depth fusion and reference matching in sequence.

    Args:
        variant: ``'paper'``: fusion by convolutions and deconvolutions,
            bicubic score maps. ``'released'``: fusion by one shared
            convolution, bilinear score maps.
        channels: Width of the features, of every level or of levels 1, 2, 3.
        num_blocks: Residual blocks per level of the depth encoder.
        block_size: Side of the matched blocks.
        dilations: Dilations of the coarse search.
        crop_ratio: Window side over block side.

    Raises:
        ValueError: If ``variant`` is unknown.
    """

    def __init__(
        self,
        variant: str = 'paper',
        channels: int | Sequence[int] = 64,
        num_blocks: Sequence[int] = (4, 4, 4),
        block_size: int = 16,
        dilations: Sequence[int] = (1,),
        crop_ratio: float = 1.5,
    ) -> None:
        super().__init__()
        if variant not in ('paper', 'released'):
            raise ValueError(
                f"variant must be 'paper' or 'released', not {variant!r}."
            )
        paper = variant == 'paper'
        self.depth_encoder = DepthEncoder(channels, num_blocks)
        self.fusion = (DepthFusion if paper else SharedDepthFusion)(channels)
        self.drimm = DRIMM(
            block_size,
            dilations,
            crop_ratio,
            score_mode='bicubic' if paper else 'bilinear',
        )

    @property
    def ref_down_levels(self) -> int:
        """Number of levels of Ref-down that contribute to the match."""
        return self.fusion.ref_down_levels

    def forward(
        self,
        lr_feats: Sequence[Tensor],
        ref_down_feats: Sequence[Tensor],
        ref_feats: Sequence[Tensor],
        depth: Tensor,
        depth_ref: Tensor,
    ) -> tuple[tuple[Tensor, ...], Match]:
        """Match LR with the reference by image and depth features.

        Args:
            lr_feats: Three levels of LR, (N, C, H, W) first.
            ref_down_feats: The first :attr:`ref_down_levels` levels of
                Ref-down, (N, C, h, w) first.
            ref_feats: Levels 1, 2, 3 of Ref, (N, C, 4h, 4w) first.
            depth: D_LR (N, 1, H, W).
            depth_ref: D_Ref-down (N, 1, h, w).

        Returns:
            Fused LR features of three levels, and the match.
        """
        return self.match(
            lr_feats,
            ref_down_feats,
            ref_feats,
            self.depth_encoder(depth),
            self.depth_encoder(depth_ref, self.ref_down_levels),
        )

    def match(
        self,
        lr_feats: Sequence[Tensor],
        ref_down_feats: Sequence[Tensor],
        ref_feats: Sequence[Tensor],
        depth_feats: Sequence[Tensor],
        depth_ref_feats: Sequence[Tensor],
    ) -> tuple[tuple[Tensor, ...], Match]:
        """Match with depth maps that are already encoded.

        Args:
            lr_feats: See :meth:`forward`.
            ref_down_feats: See :meth:`forward`.
            ref_feats: See :meth:`forward`.
            depth_feats: Depth features of the sizes of ``lr_feats``.
            depth_ref_feats: Depth features of the sizes of ``ref_down_feats``.

        Returns:
            See :meth:`forward`.
        """
        fused = self.fusion(lr_feats, depth_feats)
        fused_ref_down = self.fusion(ref_down_feats, depth_ref_feats)
        # Levels 3, 2, 1 of Ref lie at x1, x2, x4 of LR.
        return fused, self.drimm(fused[0], fused_ref_down[0], ref_feats[::-1])
