"""References, one or several per image, laid out for a batch."""

from torch import Tensor

from mmdsr.models.networks.padding import SCALE, check_depth


def find_own(lr: Tensor, ref: Tensor) -> Tensor | None:
    """Return which references are LR itself, which stands for none.

    Args:
        lr: LR images (N, 3, H, W).
        ref: References (N, 3, Hr, Wr) or (N, K, 3, Hr, Wr).

    Returns:
        (N,) or (N, K) bool; None if none can be, by its size.
    """
    if ref.shape[-3:] != lr.shape[-3:] or len(ref) != len(lr):
        return None
    own = lr if ref.ndim == lr.ndim else lr[:, None]
    return (ref == own).flatten(-3).all(-1)


def match_depths(
    many: Tensor,
    ref: Tensor,
    depth: Tensor | None,
    depth_ref: Tensor | None,
    count: int,
) -> tuple[Tensor, Tensor]:
    """Put the depth maps beside the references, and check their shapes.

    Args:
        many: LR images (N * K, 3, H, W), one for each reference.
        ref: References (N * K, 3, Hr, Wr).
        depth: Depth of LR (N, 1, H, W), NaN where unknown.
        depth_ref: Depth of Ref-down (N * K, 1, h, w) or (N, K, 1, h, w).
        count: References per image, K.

    Returns:
        Both maps (N * K, 1, ., .).

    Raises:
        ValueError: If one is missing or does not fit.
    """
    if depth is None or depth_ref is None:
        raise ValueError(
            'this network needs depth maps of LR and Ref-down with a '
            'reference: pass depth and depth_ref (NaN where unknown).'
        )
    depth = depth.repeat_interleave(count, 0)
    check_depth('depth', depth, many)
    depth_ref = depth_ref.flatten(0, 1) if depth_ref.ndim == 5 else depth_ref
    check_depth('depth_ref', depth_ref, ref[..., ::SCALE, ::SCALE])
    return depth, depth_ref


def side_by_side(
    lr: Tensor,
    ref: Tensor,
    ref_down: Tensor | None,
    flow: Tensor | None,
    confidence: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None, Tensor | None, int]:
    """Put the K references of each image side by side in the batch.

    Args:
        lr: LR images (N, 3, H, W).
        ref: References (N, 3, Hr, Wr) or (N, K, 3, Hr, Wr).
        ref_down: References reduced by 4, in the same layout.
        flow: Flow, (N * K, 2, H, W) or (N, K, 2, H, W).
        confidence: Its confidence, also with one channel.

    Returns:
        LR, reference, reduced reference, flow and confidence with N * K in
        place of N, and K.

    Raises:
        ValueError: If there is no reference, or a shape does not fit.
    """
    if ref.ndim == 5 and not ref.shape[1]:
        raise ValueError(
            'ref must contain at least one reference per image, not the '
            f'shape {tuple(ref.shape)}.'
        )
    count = ref.shape[1] if ref.ndim == 5 else 1
    flow, confidence = _merge(flow), _merge(confidence)
    for name, part, channels in (
        ('flow', flow, 2),
        ('confidence', confidence, 1),
    ):
        wanted = (count * len(lr), channels, *lr.shape[-2:])
        if part is not None and tuple(part.shape) != wanted:
            raise ValueError(
                f'{name} must have the shape {wanted} (all references of the '
                'batch concatenated, or K in a second dimension), not '
                f'{tuple(part.shape)}.'
            )
    many = lr if count == 1 else lr.repeat_interleave(count, 0)
    if ref.ndim == 5:
        ref = ref.flatten(0, 1)
    return many, ref, _merge(ref_down), flow, confidence, count


def _merge(part: Tensor | None) -> Tensor | None:
    """Merge the dimension of the references, if any, into the batch."""
    return part if part is None or part.ndim != 5 else part.flatten(0, 1)
