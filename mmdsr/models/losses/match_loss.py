r"""Supervised loss of the paper's match, which is not in the paper.

DRIMM is trained only through the features that it copies. Where the true
correspondence is known, its relevances (Eq. 5 to 7) can be supervised
directly, as logits of a classification among the places of Ref-down. A place
between four pixels is shared among them by its distances, as in bilinear
interpolation.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdsr.models.networks.drimm import Matched
from mmdsr.models.networks.flow import pixel_grid
from mmdsr.models.networks.matching import (
    BlockGrid,
    block_grid,
    coarse_scores,
    crop_diameter,
    fine_scores,
    patch_norm,
    split_blocks,
    window_start,
)
from mmdsr.registry import MODELS


def place_cross_entropy(logit: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return the cross entropy of a softmax over a grid and a place on it.

    Args:
        logit: Logits (..., h, w).
        x: Column of the place (...), possibly between grid points. Outside the
            grid, the nearest place on it counts.
        y: Row of the place (...).

    Returns:
        Cross entropy (...), >= 0.
    """
    height, width = logit.shape[-2:]
    log_p = logit.flatten(-2).log_softmax(-1)
    corners = []
    for place, size in ((x, width), (y, height)):
        place = place.clamp(0, size - 1)
        low = place.floor()
        share = place - low
        high = (low + 1).clamp_max(size - 1)
        corners.append(((low.long(), 1 - share), (high.long(), share)))
    entropy = log_p.new_zeros(())
    for row, down in corners[1]:
        for col, right in corners[0]:
            index = (row * width + col).unsqueeze(-1)
            chosen = log_p.gather(-1, index).squeeze(-1)
            entropy = entropy - down * right * chosen
    return entropy


def masked_mean(value: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over a mask; 0 with a graph if it is empty."""
    mask = mask.to(value.dtype)
    return (value * mask).sum() / mask.sum().clamp_min(1)


def match_loss(
    matched: Matched,
    flow: Tensor,
    visible: Tensor,
    temperature: float = 0.05,
) -> tuple[Tensor, Tensor]:
    """Return the cross entropies of the coarse and of the fine match.

    *Coarse*: the center patch of each block has to choose its place in the
    whole of Ref-down. The logits are the relevances of Eq. 5, averaged over
    the dilations and divided by the temperature. *Fine*: each patch of a block
    has to choose its place in the window of the block. The logits are the
    relevances of Eq. 7 divided by the temperature. The window lies around the
    true place of the center of the block, so that the fine match learns before
    the coarse one is right. Where the center is not visible, the window lies
    around the place that was found.

    Args:
        matched: The compared features.
        flow: True flow (N, 2, H, W) in LR pixels, of LR without padding.
        visible: 1 where it holds, otherwise 0, (N, 1, H, W).
        temperature: Divisor of the relevances.

    Returns:
        Means over the visible centers, and over the visible pixels whose place
        lies among the candidates of their window; 0 with a graph if there are
        none.
    """
    lr_feat, ref_feat = matched.lr_feat, matched.ref_down_feat
    size = ref_feat.shape[-2:]
    height, width = lr_feat.shape[-2:]
    grid = block_grid(height, width, matched.block_size)
    x, y, shown = _true_places(flow, visible, grid)

    scores = coarse_scores(lr_feat, ref_feat, grid, matched.dilations)
    center = ..., grid.height // 2, grid.width // 2
    center_x, center_y = x[center], y[center]
    coarse = place_cross_entropy(
        scores / (len(matched.dilations) * temperature), center_x, center_y
    )

    found = scores.detach().flatten(2).argmax(2)
    true = (
        center_y.round().clamp(0, size[0] - 1) * size[1]
        + center_x.round().clamp(0, size[1] - 1)
    ).long()
    diameter = crop_diameter(size, grid, matched.crop_ratio)
    top, left = window_start(
        torch.where(shown[center], true, found), size, diameter
    )
    # From coordinates in Ref-down to candidates; the first candidate lies one
    # pixel inside the window.
    x = x - (left + 1)[..., None, None]
    y = y - (top + 1)[..., None, None]
    reached = shown & (x >= 0) & (x <= diameter[1] - 1)
    reached &= (y >= 0) & (y <= diameter[0] - 1)
    product = torch.cat(
        list(fine_scores(lr_feat, ref_feat, grid, top, left, diameter))
    ).unflatten(0, found.shape)
    norm = split_blocks(patch_norm(lr_feat, 'replicate'), grid)
    fine = place_cross_entropy(
        product / (norm * temperature)[..., None, None], x, y
    )
    return masked_mean(coarse, shown[center]), masked_mean(fine, reached)


def _true_places(
    flow: Tensor, visible: Tensor, grid: BlockGrid
) -> tuple[Tensor, Tensor, Tensor]:
    """Return columns, rows and visibility by blocks, (N, K, ky, kx)."""
    height, width = flow.shape[-2:]
    padding = (
        0,
        grid.cols * grid.width - width,
        0,
        grid.rows * grid.height - height,
    )
    place = F.pad(pixel_grid(flow) + flow, padding)
    shown = F.pad(visible, padding)[:, 0] > 0
    x, y = (split_blocks(part, grid) for part in place.unbind(1))
    return x, y, split_blocks(shown, grid)


@MODELS.register_module()
class MatchLoss(nn.Module):
    """Supervision of DRIMM by the true correspondence, ``L_match``.

    The sum of both terms of :func:`match_loss`, not in the paper.

    Args:
        loss_weight: ``lambda_match``. The default makes the term about as
            large as ``L_rec`` is at the start.
        temperature: Divisor of the relevances, cosines between -1 and 1,
            before the softmax. With the default, the loss of an untrained
            network is smallest.

    Raises:
        ValueError: If the temperature is not above 0.
    """

    def __init__(
        self, loss_weight: float = 0.001, temperature: float = 0.05
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f'temperature must be > 0, not {temperature}.')
        self.loss_weight = loss_weight
        self.temperature = temperature

    def forward(
        self, matched: Matched, flow: Tensor, visible: Tensor
    ) -> Tensor:
        """Compute the weighted loss.

        Args:
            matched: ``matched`` of a network's output.
            flow: True flow (N, 2, H, W) in LR pixels.
            visible: 1 where it holds, otherwise 0, (N, 1, H, W).

        Returns:
            Scalar; 0 with a graph if nothing is visible.
        """
        # As in DRIMM: in half precision the norms underflow.
        with torch.autocast(flow.device.type, enabled=False):
            matched = matched._replace(
                lr_feat=matched.lr_feat.float(),
                ref_down_feat=matched.ref_down_feat.float(),
            )
            coarse, fine = match_loss(matched, flow, visible, self.temperature)
        return self.loss_weight * (coarse + fine)
