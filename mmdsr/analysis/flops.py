"""Cost of the reference-based networks in two conventions.

``macs``
    Multiply-accumulates of convolutions, transposed convolutions, matrix
    products and weighted sums, exactly as our code executes them.
``masa``
    The convention of MASA-SR's counter, in which the paper's Table 2 is
    written: MACs of convolutions and matrix products plus one count per
    element of additions, subtractions, products, quotients and ReLU (four
    for a normalization); instance normalization, interpolation and indexing
    are free; a transposed convolution is counted by its output size, which
    is four times its true cost at stride 2. Matching is counted as the
    original algorithm performs it (unfolded patches), not as
    :mod:`mmdsr.models.networks.matching` does, so that the numbers can be
    compared with the literature.
"""

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from mmdsr.models.networks import DMM, DRIMM, matching
from mmdsr.models.networks.decoder import InstanceNorm

CONVENTIONS = ('macs', 'masa')

_aten = torch.ops.aten
_ELEMENTWISE = {
    _aten.add.Tensor: 1,
    _aten.add_.Tensor: 1,
    _aten.sub.Tensor: 1,
    _aten.mul.Tensor: 1,
    _aten.div.Tensor: 1,
    _aten.relu.default: 1,
    _aten.relu_.default: 1,
    _aten.addcmul_.default: 2,
    _aten.native_group_norm.default: 4,
    _aten.native_batch_norm.default: 4,
}


def _matrix_macs(func: object, args: Sequence[Any], out: Tensor) -> int:
    """MACs of a matrix product, 0 for any other operator."""
    if func in (_aten.mm.default, _aten.bmm.default):
        return out.numel() * args[0].shape[-1]
    if func is _aten.addmm.default:
        return out.numel() * args[1].shape[-1]
    return 0


def _true_macs(func: object, args: Sequence[Any], out: Tensor) -> int:
    """MACs that an operator executes."""
    if func is _aten.convolution.default:
        image, weight, transposed = args[0], args[1], args[6]
        places = image if transposed else out
        return len(places) * math.prod(places.shape[2:]) * weight.numel()
    if func is _aten._embedding_bag.default:
        return out.numel() * (args[1].numel() // out.shape[0])
    return _matrix_macs(func, args, out)


def _masa_count(func: object, args: Sequence[Any], out: Tensor) -> int:
    """Count of an operator in the convention of MASA-SR."""
    if func is _aten.convolution.default:
        weight = args[1]
        return out.numel() * math.prod(weight.shape[1:])
    if func in _ELEMENTWISE:
        return _ELEMENTWISE[func] * out.numel()
    return _matrix_macs(func, args, out)


def masa_matching_count(
    drimm: DRIMM,
    lr_feat: Tensor,
    ref_down_feat: Tensor,
    ref_feats: Sequence[Tensor],
) -> int:
    """Count of the original matching and transfer.

    Args:
        drimm: The module, for its options.
        lr_feat: LR feature (N, C, H, W).
        ref_down_feat: Ref-down feature (N, C, h, w).
        ref_feats: Ref features at x1, x2, x4.

    Returns:
        Matrix products of the unfolded patches, normalization of both sides,
        sum over dilations, division by overlap and product with the score at
        x1, x2, x4.
    """
    n, c, height, width = lr_feat.shape
    ref_size = ref_down_feat.shape[-2], ref_down_feat.shape[-1]
    pixels, ref_pixels = height * width, math.prod(ref_size)
    grid = matching.block_grid(height, width, drimm.block_size)
    candidates = math.prod(
        matching.crop_diameter(ref_size, grid, drimm.crop_ratio)
    )
    blocks, patch = grid.rows * grid.cols, 9 * c
    coarse = blocks * patch * ref_pixels
    coarse += blocks * patch + patch * ref_pixels + blocks * ref_pixels
    fine = pixels * patch * candidates
    fine += (pixels + blocks * candidates) * patch
    moved = (
        2
        * pixels
        * sum(feat.shape[1] * 4**level for level, feat in enumerate(ref_feats))
    )
    return n * (len(drimm.dilations) * coarse + fine + moved)


def cost_parts(net: nn.Module) -> dict[str, nn.Module]:
    """Name the parts that costs are reported for.

    Args:
        net: A reference-based network.

    Returns:
        Its children, those of DMM in DMM's place.
    """
    parts: dict[str, nn.Module] = {}
    for name, child in net.named_children():
        if isinstance(child, DMM):
            inner = child.named_children()
            parts |= {f'{name}.{part}': module for part, module in inner}
        else:
            parts[name] = child
    return parts


class _Counter(TorchDispatchMode):
    """Adds up operators under the name of the part that is running."""

    def __init__(self, rule: Callable) -> None:
        super().__init__()
        self.rule = rule
        self.part = 'other'
        self.free = 0
        self.counts: dict[str, int] = {}

    def add(self, count: int) -> None:
        self.counts[self.part] = self.counts.get(self.part, 0) + count

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Collection[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        out = func(*args, **(kwargs or {}))
        if not self.free:
            first = out[0] if isinstance(out, (tuple, list)) and out else out
            self.add(self.rule(func, args, first))
        return out


def count_cost(
    net: nn.Module, inputs: Sequence[Tensor], convention: str = 'macs'
) -> dict[str, int]:
    """Count the operations of one forward pass without computing it.

    Args:
        net: A reference-based network.
        inputs: Positional arguments of its ``forward``.
        convention: ``'macs'`` or ``'masa'``.

    Returns:
        Operations per part of :func:`cost_parts`, and of what lies outside
        them as ``'other'``.

    Raises:
        ValueError: If the convention is unknown.
    """
    if convention not in CONVENTIONS:
        raise ValueError(
            f'convention must be one of {CONVENTIONS}, got {convention!r}'
        )
    masa = convention == 'masa'
    counter = _Counter(_masa_count if masa else _true_macs)
    handles = []

    def watch(
        module: nn.Module,
        before: Callable[..., None],
        after: Callable[..., None],
    ) -> None:
        handles.append(module.register_forward_pre_hook(before))
        handles.append(module.register_forward_hook(after))

    def enter(name: str) -> Callable[..., None]:
        def hook(*_: object) -> None:
            counter.part = name

        return hook

    def leave(*_: object) -> None:
        counter.part = 'other'

    def stop_counting(*_: object) -> None:
        counter.free += 1

    def count_again(
        module: nn.Module, args: tuple[Any, ...], _: object
    ) -> None:
        counter.free -= 1
        if isinstance(module, DRIMM):
            counter.add(masa_matching_count(module, *args))

    try:
        for module in net.modules() if masa else ():
            if isinstance(module, (DRIMM, InstanceNorm)):
                watch(module, stop_counting, count_again)
        for name, part in cost_parts(net).items():
            watch(part, enter(name), leave)
        # Shapes are enough to count: fake tensors make any size quick.
        fake = FakeTensorMode(allow_non_fake_inputs=True)
        inputs = [fake.from_tensor(x) for x in inputs]
        with torch.no_grad(), fake, counter:
            net(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    return counter.counts


def example_inputs(
    net: nn.Module,
    height: int,
    width: int,
    batch: int = 1,
    device: str | torch.device = 'cpu',
) -> list[Tensor]:
    """Random inputs of a reference-based network.

    Args:
        net: The network; depth maps are added if it needs them.
        height: Height of LR; Ref is four times larger.
        width: Width of LR.
        batch: Batch size N.
        device: Where to put them.

    Returns:
        The tensors lr, ref, ref_down and, if needed, depth, depth_ref.
    """
    generator = torch.Generator().manual_seed(0)

    def random(channels: int, scale: int = 1) -> Tensor:
        shape = (batch, channels, height * scale, width * scale)
        return torch.rand(shape, generator=generator).to(device)

    inputs = [random(3), random(3, 4), random(3)]
    if net.needs_depth:
        inputs += [random(1), random(1)]
    return inputs
