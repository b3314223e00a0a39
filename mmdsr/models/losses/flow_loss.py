"""Supervised losses of the flow from LR to the reference."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from mmdsr.registry import MODELS


def end_point_error(flow: Tensor, truth: Tensor) -> Tensor:
    """Return the distance between the end points of two flows.

    Args:
        flow: Flow (N, 2, H, W).
        truth: Flow of the same shape.

    Returns:
        Distance (N, 1, H, W) in pixels of the flows.
    """
    return (flow - truth).square().sum(1, keepdim=True).clamp_min(1e-12).sqrt()


def reduce_flow(
    flow: Tensor, visible: Tensor, size: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Reduce a true flow to a coarser grid.

    Args:
        flow: Flow (N, 2, H, W).
        visible: 1 where it holds, otherwise 0, (N, 1, H, W).
        size: Height and width of the coarser grid, each pixel of which covers
            a square of pixels whose side is a power of two; the last rows and
            columns may cover fewer.

    Returns:
        Mean flow of the visible pixels in pixels of the coarser grid
        (N, 2, h, w), and 1 where at least half of a pixel is visible,
        (N, 1, h, w).
    """
    factor = 1
    while any(
        want * factor < have
        for want, have in zip(size, flow.shape[-2:], strict=True)
    ):
        factor *= 2
    if factor == 1:
        return flow, visible
    bottom, right = (
        want * factor - have
        for want, have in zip(size, flow.shape[-2:], strict=True)
    )
    flow = F.pad(flow * visible, (0, right, 0, bottom))
    share = F.avg_pool2d(F.pad(visible, (0, right, 0, bottom)), factor)
    mean = F.avg_pool2d(flow, factor) / share.clamp_min(1e-6)
    return mean / factor, (share >= 0.5).to(share.dtype)


def robust_flow_loss(
    flow: Tensor, truth: Tensor, visible: Tensor, power: float = 0.5
) -> Tensor:
    """Return the mean of a power of the end-point error of visible pixels.

    A power below 1 rewards precision where a match was found, and does not
    spend all effort on the few pixels without a match.

    Args:
        flow: Flow (N, 2, H, W).
        truth: True flow of the same shape.
        visible: 1 where it holds, otherwise 0, (N, 1, H, W).
        power: Exponent of the error.

    Returns:
        Scalar; 0 with a graph if nothing is visible.
    """
    error = (end_point_error(flow, truth) + 0.01) ** power
    return (error * visible).sum() / visible.sum().clamp_min(1)


def support_loss(
    logit: Tensor, flow: Tensor, truth: Tensor, visible: Tensor
) -> Tensor:
    """Return the cross entropy of the confidence.

    Args:
        logit: Logit of the confidence (N, 1, H, W), the probability that the
            flow is right to within a pixel.
        flow: Flow that the confidence belongs to (N, 2, H, W); no gradient
            reaches it.
        truth: True flow of the same shape.
        visible: 1 where it holds, otherwise 0, (N, 1, H, W). Samples that show
            nothing are left out, as their flow is not known.

    Returns:
        Scalar; 0 with a graph if nothing is known.
    """
    right = (end_point_error(flow.detach(), truth) < 1) & (visible > 0)
    known = visible.flatten(1).amax(1).view(-1, 1, 1, 1).expand_as(logit)
    loss = F.binary_cross_entropy_with_logits(
        logit, right.to(logit.dtype), weight=known, reduction='sum'
    )
    return loss / known.sum().clamp_min(1)


@MODELS.register_module()
class FlowLoss(nn.Module):
    """Supervision of all levels of a flow and its confidence.

    Args:
        loss_weight: Weight of the term of the flow.
        support_weight: Weight of the term of the confidence.
        decay: Weight of each level relative to the next finer one.
    """

    def __init__(
        self,
        loss_weight: float = 1.0,
        support_weight: float = 0.2,
        decay: float = 0.5,
    ) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.support_weight = support_weight
        self.decay = decay

    def forward(
        self,
        results: Sequence[tuple[Tensor, Tensor]],
        truth: Tensor,
        visible: Tensor,
    ) -> dict[str, Tensor]:
        """Compute the weighted losses.

        Args:
            results: Flow (N, 2, h, w) and logit (N, 1, h, w) of each level,
                coarsest first, in pixels of its grid.
            truth: True flow (N, 2, H, W) in LR pixels.
            visible: 1 where it holds, otherwise 0, (N, 1, H, W).

        Returns:
            ``loss_flow`` and ``loss_support``.
        """
        flow_loss = support = truth.new_zeros(())
        for age, (flow, logit) in enumerate(reversed(results)):
            weight = self.decay**age
            true, shown = reduce_flow(truth, visible, flow.shape[-2:])
            height, width = true.shape[-2:]
            flow = flow[..., :height, :width]
            logit = logit[..., :height, :width]
            flow_loss = flow_loss + weight * robust_flow_loss(
                flow, true, shown
            )
            support = support + weight * support_loss(logit, flow, true, shown)
        return dict(
            loss_flow=self.loss_weight * flow_loss,
            loss_support=self.support_weight * support,
        )
