"""DMM: depth matching module (Section 3.2 of the paper)."""

from collections.abc import Sequence

from torch import Tensor, nn

from mmdsr.registry import MODELS


@MODELS.register_module()
class DMM(nn.Module):
    """Depth encoder, depth fusion and reference matching in sequence.

    Args:
        depth_encoder (dict): Config of the depth encoder E_d.
        fusion (dict): Config of the fusion module.
        drimm (dict): Config of the matching module.
    """

    def __init__(
        self,
        depth_encoder: dict,
        fusion: dict,
        drimm: dict,
    ) -> None:
        super().__init__()
        self.depth_encoder = MODELS.build(depth_encoder)
        self.fusion = MODELS.build(fusion)
        self.drimm = MODELS.build(drimm)

    def forward(
        self,
        lr_feats: Sequence[Tensor],
        ref_down_feats: Sequence[Tensor],
        ref_feats: Sequence[Tensor],
        depth: Tensor,
        depth_ref: Tensor,
        block_feats: list[Tensor] | None = None,
    ) -> tuple[
        tuple[Tensor, ...], list[Tensor], Tensor, tuple[Tensor, ...], Tensor
    ]:
        """Match LR with the reference by image and depth features.

        Args:
            lr_feats (Sequence[Tensor]): Three levels of LR, (N, C, H, W)
                first.
            ref_down_feats (Sequence[Tensor]): The levels of Ref-down that
                the fusion uses, (N, C, h, w) first.
            ref_feats (Sequence[Tensor]): Levels 1, 2, 3 of Ref,
                (N, C, 4h, 4w) first.
            depth (Tensor): D_LR (N, 1, H, W).
            depth_ref (Tensor): D_Ref-down (N, 1, h, w).
            block_feats (list[Tensor], optional): Takes up the output of
                every residual block of the depth encoder for D_LR.

        Returns:
            tuple: Fused LR features of three levels, warped and weighted
            reference features at x1, x2, x4, the match confidence
            (N, 1, H, W), the depth features of LR, and the match map as a
            flow (N, 2, H, W) in LR pixels.
        """
        depth_feats = self.depth_encoder(depth, block_feats=block_feats)
        depth_ref_feats = self.depth_encoder(
            depth_ref, levels=len(ref_down_feats)
        )
        fused_lr = self.fusion(lr_feats, depth_feats)
        fused_ref_down = self.fusion(ref_down_feats, depth_ref_feats)
        warped, confidence, flow = self.drimm(
            fused_lr[0], fused_ref_down[0], ref_feats[::-1]
        )
        return fused_lr, warped, confidence, depth_feats, flow
