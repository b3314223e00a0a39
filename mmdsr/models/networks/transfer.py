"""Pure functions that copy matched features to the LR grid (Eq. 8).

Blocks, match maps and sizes are those of
:mod:`mmdsr.models.networks.matching`. No patch is ever unfolded at the full
size of the reference; see :func:`transfer`.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmdsr.models.networks.matching import (
    BlockGrid,
    merge_blocks,
    split_blocks,
)


def _neighbor_matches(
    row: Tensor, col: Tensor, grid: BlockGrid
) -> tuple[Tensor, Tensor, Tensor]:
    """Return where the nine patches that cover a pixel take it from.

    Args:
        row: Rows of the matches (N, H, W).
        col: Columns of the matches (N, H, W).
        grid: The blocks of LR; patches of other blocks do not count.

    Returns:
        Rows and columns in Ref-down (N, H, W, 9) and the weights (H, W, 9):
        one over the number of patches of the block that cover the pixel, or 0.
    """
    height, width = row.shape[-2:]
    y = torch.arange(height, device=row.device)[:, None] % grid.height
    x = torch.arange(width, device=row.device) % grid.width
    rows, cols, covers = [], [], []
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            ok = (y + dy >= 0) & (y + dy < grid.height)
            ok = ok & (x + dx >= 0) & (x + dx < grid.width)
            # A patch outside the block has weight 0; the pixel's own match
            # stands in so that the index stays valid.
            rows.append(
                torch.where(ok, row.roll((-dy, -dx), (1, 2)) - dy, row)
            )
            cols.append(
                torch.where(ok, col.roll((-dy, -dx), (1, 2)) - dx, col)
            )
            covers.append(ok)
    inside = torch.stack(covers, -1)
    weight = inside / inside.sum(-1, keepdim=True)
    return torch.stack(rows, -1), torch.stack(cols, -1), weight


def transfer(
    ref_feats: Sequence[Tensor], row: Tensor, col: Tensor, grid: BlockGrid
) -> list[Tensor]:
    r"""Copy matched patches of Ref and average where they overlap.

    In the paper, 3s x 3s patches of :math:`B_{Ref}^{s,k}` are put on the LR
    grid and merged (before Eq. 8). For a sub-pixel :math:`t` of LR pixel
    :math:`u` this is the mean over the neighbors :math:`u + \epsilon` in
    the same block of :math:`E_s[s (m(u + \epsilon) - \epsilon) + t]`, with
    match map ``m``: a weighted sum of rows of s pixels, which an embedding
    bag computes without unfolding anything.

    Args:
        ref_feats: Ref features (N, C, s*h, s*w), one per scale s.
        row: Rows of the matches in Ref-down (N, H, W).
        col: Columns of the matches in Ref-down (N, H, W).
        grid: The blocks of LR.

    Returns:
        Warped features (N, C, s*H, s*W), channels last in memory.
    """
    n, height, width = row.shape
    rows, cols, weight = _neighbor_matches(row, col, grid)
    sample = torch.arange(n, device=row.device)[:, None, None, None]
    warped = []
    for feat in ref_feats:
        channels = feat.shape[1]
        ref_width = feat.shape[-1]
        # x4 features are wider than LR by the ratio of Ref to LR as well;
        # their scale follows from the smallest reference feature.
        scale = ref_width // ref_feats[0].shape[-1]
        table_width = ref_width // scale
        table = feat.permute(0, 2, 3, 1).reshape(-1, scale * channels)
        line = torch.arange(scale, device=row.device)[:, None, None]
        # (N, H, s, W, 9): line t of the cell at (rows, cols).
        y = (rows * scale)[:, :, None] + line
        index = sample[..., None] * feat.shape[-2] + y
        index = index * table_width + cols[:, :, None]
        weights = weight[:, None].to(feat.dtype).expand_as(index)
        out = F.embedding_bag(
            index.reshape(-1, 9),
            table,
            mode='sum',
            per_sample_weights=weights.reshape(-1, 9),
        )
        out = out.view(n, height * scale, width * scale, channels)
        warped.append(out.permute(0, 3, 1, 2))
    return warped


def upsample_score(
    score: Tensor, grid: BlockGrid, scale: int, mode: str
) -> Tensor:
    """Enlarge the score map inside each block, the up arrow of Eq. 8.

    Args:
        score: Scores (N, 1, H, W).
        grid: The blocks of LR.
        scale: Factor s.
        mode: ``'bicubic'`` (paper) or ``'bilinear'`` (released code).

    Returns:
        Scores (N, 1, s*H, s*W).
    """
    if scale == 1:
        return score
    n = score.shape[0]
    blocks = split_blocks(score, grid)
    blocks = F.interpolate(
        blocks.flatten(0, 1)[:, None],
        scale_factor=scale,
        mode=mode,
        align_corners=False,
    )
    blocks = blocks.view(n, grid.rows * grid.cols, *blocks.shape[-2:])
    return merge_blocks(blocks, grid).unsqueeze(1)
