"""What depth says about a flow, as pure functions.

Depth maps are normalized inverse depth, ``near / Z`` with the same ``near``
for LR and Ref-down, as all networks take them; a factor between the two
scales of depth that are only relative changes nothing in
:func:`depth_consistency`. Unknown is NaN or 0. Flows are those of
:mod:`mmdsr.models.networks.flow`.
"""

import torch
from torch import Tensor

from mmdsr.models.networks.flow import inside, pixel_grid, warp

#: Inverse depth below which nothing is known of Z; 1 is where it is cut.
_FARTHEST = 1e-3


def _known(depth: Tensor) -> Tensor:
    return (depth > _FARTHEST) & (depth < 1)


def depth_ratio(
    flow: Tensor, depth: Tensor, depth_ref: Tensor
) -> tuple[Tensor, Tensor]:
    """How far a spot is in the reference over how far it is in LR.

    Args:
        flow (Tensor): Flow (N, 2, H, W) in LR pixels.
        depth (Tensor): Inverse depth of LR (N, 1, H, W).
        depth_ref (Tensor): Inverse depth of Ref-down (N, 1, h, w).

    Returns:
        tuple[Tensor, Tensor]: Z_Ref / Z_LR (N, 1, H, W), 1 where unknown,
        and where it is known (N, 1, H, W) bool: on the reference, and both
        depths measured.
    """
    there = warp(depth_ref, flow)
    known = _known(depth) & _known(there)
    known &= inside(flow, depth_ref.shape[-2:]) > 0
    ratio = torch.where(known, depth, 1) / torch.where(known, there, 1)
    return ratio, known


def magnification(flow: Tensor, depth: Tensor, depth_ref: Tensor) -> Tensor:
    """How much larger, hence sharper, the reference shows a spot.

    Z_LR / Z_Ref of a camera that does not zoom; a zoom multiplies it by the
    ratio of the focal lengths.

    Args:
        flow (Tensor): Flow (N, 2, H, W) in LR pixels.
        depth (Tensor): Inverse depth of LR (N, 1, H, W).
        depth_ref (Tensor): Inverse depth of Ref-down (N, 1, h, w).

    Returns:
        Tensor: Factor (N, 1, H, W), 1 where unknown.
    """
    return depth_ratio(flow, depth, depth_ref)[0].reciprocal()


def rigid_depth_ratio(
    ratio: Tensor, weight: Tensor, depth: Tensor, trials: int = 256
) -> Tensor:
    """Fit to depth ratios what one motion of the camera allows.

    A camera that moves by any rotation and translation, and zooms, sees the
    spot at LR pixel (x, y) in the depth
    ``Z_Ref = Z_LR (a x + b y + c) + t``: the third row of the rotation times
    the ray, and the translation along the reference's axis. So the ratio
    ``Z_Ref / Z_LR = a x + b y + c + t / Z_LR`` is linear in x, y and the
    inverse depth, with the same four numbers everywhere; no pose need be
    known. Of many random choices of four pixels (the same at each call) the
    one that explains the most starts a few rounds of reweighted least
    squares: false ratios hardly count as long as no other motion explains
    more of them than the true one does.

    Args:
        ratio (Tensor): Z_Ref / Z_LR (N, 1, H, W).
        weight (Tensor): How far to trust each, >= 0, (N, 1, H, W).
        depth (Tensor): Inverse depth of LR (N, 1, H, W), finite where the
            weight is above 0.
        trials (int): Choices of four pixels. Defaults to 256.

    Returns:
        Tensor: The ratio that fits the motion (N, 1, H, W).
    """
    height, width = ratio.shape[-2:]
    size = ratio.new_tensor([width, height]).view(1, 2, 1, 1)
    place = (2 * pixel_grid(ratio) + 1) / size - 1
    terms = torch.cat(
        [
            place.expand(len(ratio), -1, -1, -1),
            torch.ones_like(ratio),
            torch.where(weight > 0, depth, 0),
        ],
        1,
    )
    a = terms.flatten(2).transpose(1, 2).double()  # (N, HW, 4)
    b = ratio.flatten(1).double()
    trust = weight.flatten(1).double()

    seed = torch.Generator(ratio.device).manual_seed(0)
    # Without any trust all are as good.
    chosen = trust.clamp_min(1e-12).multinomial(
        4 * trials, replacement=True, generator=seed
    )
    four = a.gather(1, chosen[..., None].expand(-1, -1, 4))
    motion = _solve(
        four.unflatten(1, (trials, 4)),
        b.gather(1, chosen).unflatten(1, (trials, 4)),
    )
    fits = a @ motion.transpose(1, 2)  # (N, HW, trials)
    explained = (_log_error(b[..., None], fits) < 0.05) * trust[..., None]
    best = explained.sum(1).argmax(1)
    fit = fits[torch.arange(len(fits), device=best.device), :, best]
    for _ in range(5):
        error = torch.where(trust > 0, _log_error(b, fit), 0)
        # Ratios err in proportion to themselves.
        root = trust.sqrt() / (1 + (error / 0.02).square()) / b
        fit = (a @ _solve(root[..., None] * a, root * b)[..., None])[..., 0]
    return fit.view_as(ratio).to(ratio.dtype)


def _log_error(ratio: Tensor, fit: Tensor) -> Tensor:
    return (ratio / fit.clamp_min(1e-3)).log().abs()


def _solve(a: Tensor, b: Tensor) -> Tensor:
    """Least squares (..., 4) for a (..., M, 4) and b (..., M)."""
    # Where four pixels leave a choice, near to 0.
    normal = a.mT @ a + 1e-9 * torch.eye(4, dtype=a.dtype, device=a.device)
    return torch.linalg.solve(normal, (a.mT @ b[..., None])[..., 0])


@torch.no_grad()
def depth_consistency(
    flow: Tensor,
    depth: Tensor,
    depth_ref: Tensor,
    confidence: Tensor | None = None,
    tolerance: float = 0.05,
) -> tuple[Tensor, Tensor]:
    """Tell by depth where the reference shows what the flow says.

    The spot must be as far in the reference as one motion of the camera
    makes it, see :func:`rigid_depth_ratio`. What is hidden there, and what
    the flow takes to a place of another depth, is not; a false place of the
    right depth cannot be told.

    Args:
        flow (Tensor): Flow (N, 2, H, W) in LR pixels.
        depth (Tensor): Inverse depth of LR (N, 1, H, W).
        depth_ref (Tensor): Inverse depth of Ref-down (N, 1, h, w).
        confidence (Tensor, optional): Of the flow (N, 1, H, W) in [0, 1],
            for the fit of the motion. Defaults to None, all alike.
        tolerance (float): Relative difference of depth up to which it is
            the same. Defaults to 0.05, as in
            :func:`mmdsr.sim.data.correspondence.correspondence`.

    Returns:
        tuple[Tensor, Tensor]: 1 where it is shown, else 0, and where that is
        known, else 0, both (N, 1, H, W).
    """
    ratio, known = depth_ratio(flow, depth, depth_ref)
    weight = known.to(ratio.dtype)
    if confidence is not None:
        weight = weight * confidence
    expected = rigid_depth_ratio(ratio, weight, depth)
    shown = known & ((expected / ratio - 1).abs() < tolerance)
    return shown.to(flow.dtype), known.to(flow.dtype)
