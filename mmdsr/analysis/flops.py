"""Cost of the reference-based networks in two conventions.

``macs``
    Multiply-accumulates of convolutions, transposed convolutions, matrix
    products and weighted sums, exactly as executed by this package.
``masa``
    The convention of MASA-SR's counter, which Table 2 of the paper follows:
    MACs of convolutions and matrix products plus one count per element of
    additions, subtractions, products, quotients and ReLU (four for a
    normalization); instance normalization, interpolation and indexing are
    free; a transposed convolution is counted by its output size, which is four
    times its true cost at stride 2. Matching is counted as the original
    algorithm performs it (unfolded patches), not as
    :mod:`mmdsr.models.networks.matching` does, so that the numbers can be
    compared with the literature.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from mmdsr.models.networks import DMM, DRIMM, matching
from mmdsr.models.networks.decoder import InstanceNorm

CONVENTIONS = ('macs', 'masa')

_aten = torch.ops.aten
_Formula = Callable[..., int]
# torch's counter counts two operations per multiply-accumulate.
_PER_MAC = 2


def _of_tensors(formula: _Formula) -> _Formula:
    """Make the counter call a formula with tensors instead of shapes."""
    formula._get_raw = True  # type: ignore[attr-defined]
    return formula


@_of_tensors
def _weighted_sum(
    weight: Tensor,
    indices: Tensor,
    *_: object,
    out_val: Sequence[Tensor],
    **__: object,
) -> int:
    """Count a weighted sum of table rows, such as a bilinear sample."""
    terms = indices.numel() // out_val[0].shape[0]
    return _PER_MAC * out_val[0].numel() * terms


def _elementwise(count: int) -> _Formula:
    @_of_tensors
    def formula(
        *_: object, out_val: Tensor | Sequence[Tensor], **__: object
    ) -> int:
        first = out_val if isinstance(out_val, Tensor) else out_val[0]
        return _PER_MAC * count * first.numel()

    return formula


@_of_tensors
def _by_output(
    image: Tensor, weight: Tensor, *_: object, out_val: Tensor, **__: object
) -> int:
    """Count a convolution by its output, transposed or not."""
    return _PER_MAC * out_val.numel() * math.prod(weight.shape[1:])


#: Formulas that extend or replace those of torch's counter.
_FORMULAS: dict[str, dict[Any, _Formula]] = {
    'macs': {_aten._embedding_bag: _weighted_sum},
    'masa': {
        _aten.convolution: _by_output,
        _aten.add: _elementwise(1),
        _aten.add_: _elementwise(1),
        _aten.sub: _elementwise(1),
        _aten.mul: _elementwise(1),
        _aten.div: _elementwise(1),
        _aten.relu: _elementwise(1),
        _aten.relu_: _elementwise(1),
        _aten.addcmul_: _elementwise(2),
        _aten.native_group_norm: _elementwise(4),
        _aten.native_batch_norm: _elementwise(4),
    },
}


def masa_matching_count(
    drimm: DRIMM,
    lr_feat: Tensor,
    ref_down_feat: Tensor,
    ref_feats: Sequence[Tensor],
) -> int:
    """Count the operations of the original matching and transfer.

    Args:
        drimm: The module, which gives the options.
        lr_feat: LR feature (N, C, H, W).
        ref_down_feat: Ref-down feature (N, C, h, w).
        ref_feats: Ref features at x1, x2, x4.

    Returns:
        Matrix products of the unfolded patches, normalization of both
        sides, sum over dilations, division by overlap and product with the
        score at x1, x2, x4.
    """
    n, c, height, width = lr_feat.shape
    ref_size = (ref_down_feat.shape[-2], ref_down_feat.shape[-1])
    pixels, ref_pixels = height * width, ref_size[0] * ref_size[1]
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
    """Return the name the parts that costs are reported for.

    Args:
        net: A reference-based network.

    Returns:
        Its children, with those of DMM instead of DMM itself.
    """
    parts: dict[str, nn.Module] = {}
    for name, child in net.named_children():
        if isinstance(child, DMM):
            inner = child.named_children()
            parts |= {f'{name}.{part}': module for part, module in inner}
        else:
            parts[name] = child
    return parts


def count_cost(
    net: nn.Module, inputs: Sequence[Tensor | None], convention: str = 'macs'
) -> dict[str, int]:
    """Count the operations of one forward pass without computing it.

    Args:
        net: A reference-based network.
        inputs: Positional arguments of its ``forward``; ``None`` for one that
            is left out.
        convention: ``'macs'`` or ``'masa'``.

    Returns:
        Operations per part of :func:`cost_parts`, and of what lies outside
        them as ``'other'``.

    Raises:
        ValueError: If the convention is unknown.
    """
    if convention not in CONVENTIONS:
        raise ValueError(
            f'convention must be one of {CONVENTIONS}, not {convention!r}.'
        )
    counter = FlopCounterMode(
        display=False, custom_mapping=_FORMULAS[convention]
    )
    names = {module: name for name, module in net.named_modules()}
    corrections: dict[nn.Module, int] = {}

    def counted(name: str) -> int:
        key = f'{type(net).__name__}.{name}' if name else 'Global'
        return sum(counter.flop_counts[key].values()) // _PER_MAC

    def as_masa(module: nn.Module, args: tuple[Any, ...], _: object) -> None:
        """Count what the original counter treats differently."""
        own = corrections.get(module, 0)
        if isinstance(module, DRIMM):
            own += masa_matching_count(module, *args)
        corrections[module] = own

    handles = [
        module.register_forward_hook(as_masa)
        for module in net.modules()
        if convention == 'masa' and isinstance(module, (DRIMM, InstanceNorm))
    ]
    try:
        # Counting needs only shapes, so fake tensors make it fast for any
        # size.
        fake = FakeTensorMode(allow_non_fake_inputs=True)
        inputs = [None if x is None else fake.from_tensor(x) for x in inputs]
        with torch.no_grad(), fake, counter:
            net(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    counts = {'': counted('')}
    for name, part in cost_parts(net).items():
        counts[name] = counted(names[part])
    for module, own in corrections.items():
        surplus = counted(names[module]) - own
        counts[''] -= surplus
        for name, part in cost_parts(net).items():
            if f'{names[module]}.'.startswith(f'{names[part]}.'):
                counts[name] -= surplus
    total = counts.pop('')
    counts['other'] = total - sum(counts.values())
    return {name: count for name, count in counts.items() if count}


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
        device: Device of the inputs.

    Returns:
        lr, ref, ref_down and, if needed, depth, depth_ref.
    """
    generator = torch.Generator().manual_seed(0)

    def random(channels: int, scale: int = 1) -> Tensor:
        shape = (batch, channels, height * scale, width * scale)
        return torch.rand(shape, generator=generator).to(device)

    inputs = [random(3), random(3, 4), random(3)]
    if net.needs_depth:
        inputs += [random(1), random(1)]
    return inputs
