"""DRIMM: depth-based reference image matching module (Eq. 5 to 8)."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmdsr.models.networks import matching
from mmdsr.models.networks.flow import pixel_grid
from mmdsr.models.networks.transfer import transfer, upsample_score
from mmdsr.registry import MODELS


class Matched(NamedTuple):
    """The features that were compared, for a loss of the match.

    Args:
        lr_feat: F_LR of the padded LR (N, C, H, W).
        ref_down_feat: F_Ref-down, padded (N, C, h, w).
        block_size: Side of the LR blocks.
        dilations: Dilations of the coarse search.
        crop_ratio: Window side over block side.
    """

    lr_feat: Tensor
    ref_down_feat: Tensor
    block_size: int
    dilations: tuple[int, ...]
    crop_ratio: float


class Match(NamedTuple):
    """Result of DRIMM.

    Args:
        warped: Ref features on the LR grid, weighted by their score (Eq. 8),
            (N, C, sH, sW) for s = 1, 2, 4.
        confidence: Scores R (N, 1, H, W) in [-1, 1].
        flow: The match map N as a flow (N, 2, H, W) in whole LR pixels.
        matched: The features that were compared.
    """

    warped: list[Tensor]
    confidence: Tensor
    flow: Tensor
    matched: Matched


def _full(feat: Tensor) -> Tensor:
    """Convert half precision to float32; double stays double."""
    return feat.float() if feat.element_size() < 4 else feat


@MODELS.register_module()
class DRIMM(nn.Module):
    """Match LR with Ref-down block by block and warp Ref to the LR grid.

    The search runs in float32 and without a graph; the gradient reaches the
    features through the scores of the matches and the copied features.

    Args:
        block_size: Side of the LR blocks: 16 in DSRNet, 8 in MASA-SR.
        dilations: Dilations of the coarse search: (1,) in DSRNet, (1, 2, 3) in
            MASA-SR.
        crop_ratio: Side of the cropped Ref-down window over side of the block.
        score_mode: Interpolation of the score map, ``'bicubic'`` (Eq. 8) or
            ``'bilinear'`` (released code).

    Raises:
        ValueError: If an option is out of range.
    """

    def __init__(
        self,
        block_size: int = 16,
        dilations: Sequence[int] = (1,),
        crop_ratio: float = 1.5,
        score_mode: str = 'bicubic',
    ) -> None:
        super().__init__()
        if not dilations or not 1 <= min(dilations) <= max(dilations) <= (
            block_size // 2 - 1
        ):
            raise ValueError(
                f'dilations {tuple(dilations)} must be between 1 and '
                f'block_size // 2 - 1 = {block_size // 2 - 1}: the center '
                'patch must not leave its block.'
            )
        if crop_ratio <= 0:
            raise ValueError(f'crop_ratio must be > 0, not {crop_ratio}.')
        if score_mode not in ('bicubic', 'bilinear'):
            raise ValueError(
                "score_mode must be 'bicubic' or 'bilinear', "
                f'not {score_mode!r}.'
            )
        self.block_size = block_size
        self.dilations = tuple(dilations)
        self.crop_ratio = crop_ratio
        self.score_mode = score_mode

    @torch.no_grad()
    def match(
        self, lr_feat: Tensor, ref_down_feat: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Find the best match of every LR pixel (Eq. 5 and 6).

        Args:
            lr_feat: F_LR (N, C, H, W), float32.
            ref_down_feat: F_Ref-down (N, C, h, w), float32.

        Returns:
            Rows and columns in Ref-down (N, H, W).
        """
        ref_size = ref_down_feat.shape[-2:]
        height, width = lr_feat.shape[-2:]
        grid = matching.block_grid(height, width, self.block_size)
        diameter = matching.crop_diameter(ref_size, grid, self.crop_ratio)
        index, _ = matching.coarse_match(
            lr_feat, ref_down_feat, grid, self.dilations
        )
        top, left = matching.window_start(index, ref_size, diameter)
        return matching.fine_match(
            lr_feat, ref_down_feat, grid, top, left, diameter
        )

    def forward(
        self,
        lr_feat: Tensor,
        ref_down_feat: Tensor,
        ref_feats: Sequence[Tensor],
    ) -> Match:
        """Match and warp the reference features.

        Args:
            lr_feat: F_LR (N, C, H, W); H and W must be multiples of the block
                size.
            ref_down_feat: F_Ref-down (N, C, h, w), h, w >= 3.
            ref_feats: Ref features at x1, x2, x4: (N, C, h, w),
                (N, C, 2h, 2w), (N, C, 4h, 4w).

        Returns:
            The warped features, their scores and the match map.
        """
        height, width = lr_feat.shape[-2:]
        grid = matching.block_grid(height, width, self.block_size)
        # Half precision turns near-ties into wrong winners and its norms
        # underflow; the search is a small part of the cost.
        with torch.autocast(lr_feat.device.type, enabled=False):
            query, key = _full(lr_feat), _full(ref_down_feat)
            row, col = self.match(query, key)
            score = matching.match_score(query, key, row, col)
            warped = transfer(ref_feats, row, col, grid)
            for level, feat in enumerate(warped):
                weight = upsample_score(score, grid, 2**level, self.score_mode)
                feat = feat * weight.to(feat.dtype)
                # The decoder continues in the layout of LR.
                if lr_feat.is_contiguous():
                    feat = feat.contiguous()
                warped[level] = feat
            flow = torch.stack([col, row], 1) - pixel_grid(score)
        matched = Matched(
            lr_feat,
            ref_down_feat,
            self.block_size,
            self.dilations,
            self.crop_ratio,
        )
        return Match(warped, score, flow, matched)
