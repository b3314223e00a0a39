"""Losses of a flow without ground truth, for real frames."""

import torch
from torch import Tensor, nn

from mmdsr.models.networks.flow import even_light, inside, warp
from mmdsr.registry import MODELS


def photometric_error(lr: Tensor, ref_down: Tensor, flow: Tensor) -> Tensor:
    """Compare LR with the warped reference, independently of the light.

    Args:
        lr: LR images (N, 3, H, W), RGB in [0, 1].
        ref_down: Reduced references (N, 3, h, w).
        flow: Flow (N, 2, H, W) in LR pixels.

    Returns:
        Absolute difference of the normalized images (N, 1, H, W), in
        deviations of their neighborhoods; see
        :func:`mmdsr.models.networks.flow.even_light`.
    """
    return (even_light(lr) - even_light(warp(ref_down, flow))).abs()


def return_error(flow: Tensor, back: Tensor) -> Tensor:
    """Return how far a pixel ends from its start under both flows.

    Args:
        flow: Flow from LR to the reference (N, 2, H, W).
        back: Flow from the reference to LR (N, 2, h, w).

    Returns:
        Distance (N, 1, H, W) in LR pixels.
    """
    lost = flow + warp(back, flow)
    return (lost.square().sum(1, keepdim=True) + 1e-6).sqrt()


def smoothness(flow: Tensor, image: Tensor) -> Tensor:
    """Return the mean bend of a flow, weighted less across edges.

    Args:
        flow: Flow (N, 2, H, W).
        image: Image on the same grid (N, 3, H, W) in [0, 1].

    Returns:
        Scalar.
    """
    total = flow.new_zeros(())
    for dim in (-1, -2):
        edge = image.diff(dim=dim).abs().mean(1, keepdim=True)
        # Second differences, as the flow of a slanted wall is not constant.
        bend = flow.diff(n=2, dim=dim).abs().mean(1, keepdim=True)
        weight = torch.exp(-10 * edge.narrow(dim, 0, bend.shape[dim]))
        total = total + (weight * bend).mean()
    return total


@MODELS.register_module()
class SelfFlowLoss(nn.Module):
    """Photometric, forward-backward and smoothness loss of a flow.

    The photometric term covers only the pixels that both flows together return
    to within ``tolerance`` of their start: elsewhere the spot is hidden, or
    the match is wrong and the other terms have to correct it.

    Args:
        photometric: Weight of the photometric term.
        consistency: Weight of the forward-backward term.
        smooth: Weight of the smoothness term.
        tolerance: Distance in LR pixels.
    """

    def __init__(
        self,
        photometric: float = 1.0,
        consistency: float = 0.05,
        smooth: float = 0.1,
        tolerance: float = 1.5,
    ) -> None:
        super().__init__()
        self.photometric = photometric
        self.consistency = consistency
        self.smooth = smooth
        self.tolerance = tolerance

    def forward(
        self, lr: Tensor, ref_down: Tensor, flow: Tensor, back: Tensor
    ) -> dict[str, Tensor]:
        """Compute the weighted losses.

        Args:
            lr: LR images (N, 3, H, W), RGB in [0, 1].
            ref_down: Reduced references (N, 3, h, w).
            flow: Flow from LR to the reference (N, 2, H, W).
            back: Flow from the reference to LR (N, 2, h, w).

        Returns:
            ``loss_photo``, ``loss_return``, ``loss_smooth``.
        """
        there = inside(flow.detach(), ref_down.shape[-2:])
        lost = return_error(flow, back)
        seen = there * (lost.detach() < self.tolerance)

        def mean(error: Tensor, weight: Tensor) -> Tensor:
            return (error * weight).sum() / weight.sum().clamp_min(1)

        # Beyond a few pixels, the match is wrong or hidden and cannot be
        # refined.
        return dict(
            loss_photo=self.photometric
            * mean(photometric_error(lr, ref_down, flow), seen),
            loss_return=self.consistency * mean(lost.clamp_max(4), there),
            loss_smooth=self.smooth * smoothness(flow, lr),
        )
