"""Depth reconstruction loss, Eq. 9 of the paper."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmdsr.registry import MODELS


def masked_l1(pred: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute error over the pixels with a known target.

    Args:
        pred: Prediction of any shape.
        target: Same shape; NaN marks an unknown pixel.

    Returns:
        Scalar. If no pixel is known, 0 that is still connected to the graph of
        ``pred``, so that every parameter has a gradient under distributed
        training.

    Raises:
        ValueError: If the shapes differ.
    """
    if pred.shape != target.shape:
        raise ValueError(
            f'The predicted depth has shape {tuple(pred.shape)}, but its '
            f'ground truth has {tuple(target.shape)}: the depth maps of a '
            'sample must have the size of LR and a quarter of the size of '
            'Ref.'
        )
    error, known = _error(pred, target)
    return error.abs().sum() / known.sum().clamp(min=1)


def _error(pred: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return the difference, 0 where unknown, and where it is known."""
    # fp32: a sum over many fp16 pixels would overflow under AMP.
    pred, target = pred.float(), target.float()
    known = ~torch.isnan(target)
    # NaNs are replaced before the subtraction, because the gradient of
    # where() would still be 0 * NaN = NaN.
    return pred - torch.where(known, target, pred.detach()), known


def gradient_l1(
    pred: Tensor, target: Tensor, steps: Sequence[int] = (1, 2, 4)
) -> Tensor:
    """Return the mean absolute change of the error from pixel to pixel.

    A constant error costs nothing, grain costs most.

    Args:
        pred: Maps (N, 1, H, W).
        target: Same shape; NaN marks an unknown pixel.
        steps: Distances between the compared pixels of a row or a column.

    Returns:
        Scalar, the mean over steps and both directions of the means over the
        known pairs; 0 with a graph if there are none.
    """
    error, known = _error(pred, target)
    total = error.new_zeros(())
    for step in steps:
        for dim in (-1, -2):
            size = max(error.shape[dim] - step, 0)
            ends = [
                (
                    error.narrow(dim, start, size),
                    known.narrow(dim, start, size),
                )
                for start in (0, error.shape[dim] - size)
            ]
            both = ends[0][1] & ends[1][1]
            change = (ends[1][0] - ends[0][0]).abs() * both
            total = total + change.sum() / both.sum().clamp(min=1)
    return total / (2 * len(steps))


@MODELS.register_module()
class DepthLoss(nn.Module):
    """Depth reconstruction loss of both depth maps (Eq. 9).

    ``L_dep = |D~_Ref_down - D_Ref_down|_1 + |D~_LR - D_LR|_1`` with the mean
    over the known pixels as the norm, so that the weight does not depend on
    the image size and sensors with holes can be used.

    Args:
        loss_weight: ``lambda_dep`` of Eq. 15. The paper does not give it; the
            default is the value of the authors' code.
        gradient_weight: Weight of :func:`gradient_l1` relative to the rest,
            for a smooth map; not in the paper.
    """

    def __init__(
        self, loss_weight: float = 0.01, gradient_weight: float = 0.0
    ) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.gradient_weight = gradient_weight

    def forward(
        self,
        depth: Tensor,
        depth_ref: Tensor,
        gt_depth: Tensor | None = None,
        gt_depth_ref: Tensor | None = None,
    ) -> Tensor:
        """Compute the weighted loss.

        Args:
            depth: Predicted depth of LR, (N, 1, H, W).
            depth_ref: Predicted depth of Ref at a quarter of its size,
                (N, 1, h, w).
            gt_depth: Ground truth of ``depth``, same shape, NaN where unknown.
                ``None`` means all unknown.
            gt_depth_ref: Ground truth of ``depth_ref``.

        Returns:
            Scalar; 0 with a graph if nothing is known.
        """
        terms = []
        for pred, target in ((depth, gt_depth), (depth_ref, gt_depth_ref)):
            if target is None:
                target = torch.full_like(pred, float('nan'))
            terms.append(masked_l1(pred, target))
            if self.gradient_weight:
                change = gradient_l1(pred, target)
                terms.append(self.gradient_weight * change)
        return self.loss_weight * sum(terms[1:], terms[0])
