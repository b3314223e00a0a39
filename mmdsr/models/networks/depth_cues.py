"""Pure functions that check a flow by depth.

Depth maps are normalized inverse depth, ``near / Z`` with the same ``near``
for LR and Ref-down, as for all networks. A constant factor between two
relative depth maps does not change :func:`depth_consistency`. Unknown is NaN
or 0. Flows are those of :mod:`mmdsr.models.networks.flow`.
"""

import torch
from torch import Tensor

from mmdsr.models.networks.flow import inside, pixel_grid, warp

#: Inverse depth below which Z is not known; it is clipped at 1.
_FARTHEST = 1e-3


def _known(depth: Tensor) -> Tensor:
    return (depth > _FARTHEST) & (depth < 1)


def depth_ratio(
    flow: Tensor, depth: Tensor, depth_ref: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the depth of a spot in the reference over that in LR.

    Args:
        flow: Flow (N, 2, H, W) in LR pixels.
        depth: Inverse depth of LR (N, 1, H, W).
        depth_ref: Inverse depth of Ref-down (N, 1, h, w).

    Returns:
        Z_Ref / Z_LR (N, 1, H, W), 1 where unknown, and whether it is known
        (N, 1, H, W) bool: inside the reference, and both depths measured.
    """
    there = warp(depth_ref, flow)
    known = _known(depth) & _known(there)
    known &= inside(flow, depth_ref.shape[-2:]) > 0
    ratio = torch.where(known, depth, 1) / torch.where(known, there, 1)
    return ratio, known


def magnification(flow: Tensor, depth: Tensor, depth_ref: Tensor) -> Tensor:
    """Return how much larger, hence sharper, the reference shows a spot.

    This is Z_LR / Z_Ref for a camera that does not zoom; a zoom multiplies it
    by the ratio of the focal lengths.

    Args:
        flow: Flow (N, 2, H, W) in LR pixels.
        depth: Inverse depth of LR (N, 1, H, W).
        depth_ref: Inverse depth of Ref-down (N, 1, h, w).

    Returns:
        Factor (N, 1, H, W), 1 where unknown.
    """
    return depth_ratio(flow, depth, depth_ref)[0].reciprocal()


#: Planes of :func:`depth_evidence`.
DEPTH_PLANES = 3


@torch.no_grad()
def depth_evidence(
    flow: Tensor,
    depth: Tensor,
    depth_ref: Tensor,
    confidence: Tensor | None = None,
) -> Tensor:
    """Return what depth says about a flow, as input of convolutions.

    Args:
        flow: Flow (N, 2, H, W) in LR pixels.
        depth: Inverse depth of LR (N, 1, H, W), NaN where unknown.
        depth_ref: Inverse depth of Ref-down (N, 1, h, w), NaN where unknown.
        confidence: Confidence of the flow (N, 1, H, W) in [0, 1].

    Returns:
        Planes (N, 3, H, W): 1 where the depths agree, 1 where that is known,
        and the base-2 logarithm of the magnification in [-2, 2]; 0 where
        unknown.
    """
    depth = torch.nan_to_num(depth, nan=0.0)
    depth_ref = torch.nan_to_num(depth_ref, nan=0.0)
    shown, known = depth_consistency(flow, depth, depth_ref, confidence)
    larger = magnification(flow, depth, depth_ref).log2().clamp(-2, 2)
    return torch.cat([shown, known, larger], 1)


def rigid_depth_ratio(
    ratio: Tensor, weight: Tensor, depth: Tensor, trials: int = 256
) -> Tensor:
    """Fit depth ratios that one motion of the camera allows.

    A camera that moves by any rotation and translation, and zooms, sees the
    spot at LR pixel (x, y) at the depth
    ``Z_Ref = Z_LR (a x + b y + c) + t``: the third row of the rotation times
    the ray, and the translation along the axis of the reference. So the ratio
    ``Z_Ref / Z_LR = a x + b y + c + t / Z_LR`` is linear in x, y and the
    inverse depth, with the same four numbers everywhere; no pose has to be
    known. Of many random choices of four pixels (the same for each image),
    the one that explains the most ratios initializes a few rounds of
    reweighted least squares. False ratios hardly count unless another motion
    explains more of them than the true one does.

    Args:
        ratio: Z_Ref / Z_LR (N, 1, H, W).
        weight: Trust in each ratio, >= 0, (N, 1, H, W).
        depth: Inverse depth of LR (N, 1, H, W), finite where the weight is
            above 0.
        trials: Number of choices of four pixels.

    Returns:
        The ratio that fits the motion (N, 1, H, W).
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

    # The same numbers for each image, whatever else is in the batch.
    numbers = torch.rand(
        4 * trials,
        generator=torch.Generator().manual_seed(0),
        dtype=torch.float64,
    ).to(ratio.device)
    # Without any trust, all pixels are equally good.
    total = trust.clamp_min(1e-12).cumsum(1)
    chosen = torch.searchsorted(total, numbers * total[:, -1:])
    chosen = chosen.clamp_max(height * width - 1)
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
    """Return the least squares (..., 4) for a (..., M, 4) and b (..., M)."""
    # Where four pixels do not determine the solution, it stays close to 0.
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
    """Check by depth where the reference shows what the flow claims.

    The depth of the spot in the reference must be the one that the motion of
    the camera causes, see :func:`rigid_depth_ratio`. This fails where the spot
    is hidden and where the flow ends at another depth. A false match of the
    right depth cannot be detected.

    Args:
        flow: Flow (N, 2, H, W) in LR pixels.
        depth: Inverse depth of LR (N, 1, H, W).
        depth_ref: Inverse depth of Ref-down (N, 1, h, w).
        confidence: Confidence of the flow (N, 1, H, W) in [0, 1], for the fit
            of the motion. Defaults to None, the same everywhere.
        tolerance: Relative difference up to which two depths are the same.
            The default is that of
            :func:`mmdsr.sim.data.correspondence.correspondence`.

    Returns:
        Two maps (N, 1, H, W): 1 where the spot is shown, otherwise 0, and 1
        where that is known, otherwise 0.
    """
    ratio, known = depth_ratio(flow, depth, depth_ref)
    weight = known.to(ratio.dtype)
    if confidence is not None:
        weight = weight * confidence
    expected = rigid_depth_ratio(ratio, weight, depth)
    shown = known & ((expected / ratio - 1).abs() < tolerance)
    return shown.to(flow.dtype), known.to(flow.dtype)
