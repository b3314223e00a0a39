"""Depth reconstruction loss, Eq. 9 of the paper."""

import torch
from torch import nn

from mmdsr.registry import MODELS


def masked_l1(pred, target):
    """Mean absolute error over the pixels whose target is known.

    Args:
        pred (Tensor): Any shape.
        target (Tensor): Same shape; NaN marks an unknown pixel.

    Returns:
        Tensor: Scalar. 0, still connected to the graph of ``pred`` (so that
        no parameter is left without a gradient under distributed training),
        if no pixel is known.

    Raises:
        ValueError: If the shapes differ.
    """
    if pred.shape != target.shape:
        raise ValueError(
            f'The predicted depth has shape {tuple(pred.shape)}, its ground '
            f'truth {tuple(target.shape)}: the depth maps of a sample must '
            'have the size of LR and of Ref at a quarter of its size.'
        )
    # fp32: a sum over many fp16 pixels would overflow under AMP.
    pred, target = pred.float(), target.float()
    known = ~torch.isnan(target)
    # The NaN are replaced before the subtraction, because the gradient of
    # where() would still be 0 * NaN = NaN.
    error = (pred - torch.where(known, target, pred.detach())).abs()
    return error.sum() / known.sum().clamp(min=1)


@MODELS.register_module()
class DepthLoss(nn.Module):
    """Depth reconstruction loss of both depth maps (Eq. 9).

    ``L_dep = |D~_Ref_down - D_Ref_down|_1 + |D~_LR - D_LR|_1`` with the mean
    over the known pixels as the norm, so that the weight does not depend on
    the image size and sensors with holes can be used.

    Args:
        loss_weight (float): ``lambda_dep`` of Eq. 15. The paper does not give
            it; the default is the value of the authors' code. Defaults to
            0.01.
    """

    def __init__(self, loss_weight=0.01):
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, depth, depth_ref, gt_depth=None, gt_depth_ref=None):
        """Compute the weighted loss.

        Args:
            depth (Tensor): Predicted depth of LR, (N, 1, H, W).
            depth_ref (Tensor): Predicted depth of Ref at a quarter of its
                size, (N, 1, h, w).
            gt_depth (Tensor, optional): Ground truth of ``depth``, same
                shape, NaN where unknown. ``None`` means all unknown.
            gt_depth_ref (Tensor, optional): Ground truth of ``depth_ref``.

        Returns:
            Tensor: Scalar; 0 with a graph if nothing is known.
        """
        loss = 0
        for pred, target in ((depth, gt_depth), (depth_ref, gt_depth_ref)):
            if target is None:
                target = torch.full_like(pred, float('nan'))
            loss = loss + masked_l1(pred, target)
        return self.loss_weight * loss
