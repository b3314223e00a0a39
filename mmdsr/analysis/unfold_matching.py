"""Literal implementation of matching, as a baseline for DRIMM.

A Python loop visits every block, and every patch is unfolded, also at the full
size of the reference. The results are those of
:class:`mmdsr.models.networks.DRIMM`. Only the benchmark uses this code; it
runs both on the same features.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmdsr.models.networks import DRIMM, matching


def _patches(x: Tensor, dilation: int = 1, padding: int = 0) -> Tensor:
    """Return the unit-length 3x3 patches (N, 9C, L) of a map (N, C, H, W)."""
    patches = F.unfold(x, 3, dilation=dilation, padding=padding)
    return F.normalize(patches, dim=1)


def unfold_match_and_transfer(
    drimm: DRIMM,
    lr_feat: Tensor,
    ref_down_feat: Tensor,
    ref_feats: Sequence[Tensor],
) -> tuple[list[Tensor], Tensor]:
    """Compute the result of ``drimm`` block by block (Eq. 5 to 8).

    Args:
        drimm: The module, which gives the options.
        lr_feat: F_LR (1, C, H, W).
        ref_down_feat: F_Ref-down (1, C, h, w).
        ref_feats: Ref features at x1, x2, x4.

    Returns:
        Warped features at x1, x2, x4 and the scores (1, 1, H, W).
    """
    height, width = lr_feat.shape[-2:]
    grid = matching.block_grid(height, width, drimm.block_size)
    ref_size = ref_down_feat.shape[-2], ref_down_feat.shape[-1]
    dy, dx = diameter = matching.crop_diameter(
        ref_size, grid, drimm.crop_ratio
    )
    padded = F.pad(lr_feat, (1, 1, 1, 1), mode='replicate')
    reach = max(drimm.dilations)
    keys = [_patches(ref_down_feat, d, d) for d in drimm.dilations]
    warped = [
        lr_feat.new_zeros(1, feat.shape[1], height * s, width * s)
        for feat, s in zip(ref_feats, (1, 2, 4), strict=True)
    ]
    scores = lr_feat.new_zeros(1, 1, height, width)
    for block_row in range(grid.rows):
        for block_col in range(grid.cols):
            y, x = block_row * grid.height, block_col * grid.width
            cy, cx = y + grid.height // 2, x + grid.width // 2
            coarse = lr_feat.new_zeros(())
            for d, key in zip(drimm.dilations, keys, strict=True):
                center = lr_feat[
                    :,
                    :,
                    cy - reach : cy + reach + 1,
                    cx - reach : cx + reach + 1,
                ]
                cut = reach - d
                center = center[
                    :, :, cut : 2 * reach + 1 - cut, cut : 2 * reach + 1 - cut
                ]
                query = _patches(center, d)
                coarse = coarse + torch.bmm(query.transpose(1, 2), key)
            tops, lefts = matching.window_start(
                coarse.argmax(2), ref_size, diameter
            )
            top, left = int(tops), int(lefts)
            window = ref_down_feat[
                :, :, top : top + dy + 2, left : left + dx + 2
            ]
            block = padded[
                :, :, y : y + grid.height + 2, x : x + grid.width + 2
            ]
            score, index = torch.bmm(
                _patches(block).transpose(1, 2), _patches(window)
            ).max(dim=2)
            score = score.view(1, 1, grid.height, grid.width)
            scores[:, :, y : y + grid.height, x : x + grid.width] = score
            for feat, out, s in zip(ref_feats, warped, (1, 2, 4), strict=True):
                crop = feat[
                    :,
                    :,
                    top * s : (top + dy + 2) * s,
                    left * s : (left + dx + 2) * s,
                ]
                pieces = F.unfold(crop, 3 * s, stride=s)
                size = grid.height * s, grid.width * s
                moved = pieces.gather(
                    2, index[:, None].expand(-1, pieces.shape[1], -1)
                )
                options = dict(kernel_size=3 * s, stride=s, padding=s)
                merged = F.fold(moved, size, **options)
                merged /= F.fold(torch.ones_like(moved), size, **options)
                if s > 1:
                    weight = F.interpolate(
                        score, scale_factor=s, mode=drimm.score_mode
                    )
                else:
                    weight = score
                rows = slice(y * s, (y + grid.height) * s)
                cols = slice(x * s, (x + grid.width) * s)
                out[:, :, rows, cols] = merged * weight
    return warped, scores
