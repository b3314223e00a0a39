"""Find numbers that are not finite among weights."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

#: Keys of a checkpoint that training does not continue with. A log may contain
#: any value: infinite gradients are normal in mixed precision.
_LOGS = ('message_hub', 'meta')


def non_finite(content: dict[str, Any]) -> dict[str, int]:
    """List the tensors that contain NaN or infinity.

    Args:
        content: Checkpoint or state dict: containers and tensors, nested in
            any way. ``message_hub`` and ``meta`` are left out.

    Returns:
        Number of such values by the name of the layer, without the key of an
        enclosing state dict.

    Raises:
        ValueError: If a tensor claims more values than it contains.
    """
    found = {}
    for name, value in _tensors(content, ''):
        count = _count(value, name)
        if count:
            found[name.removeprefix('state_dict.')] = count
    return found


def describe(found: dict[str, int]) -> str:
    """Describe which tensors are not finite.

    Args:
        found: See :func:`non_finite`; not empty.

    Returns:
        E.g. ``generator.conv.weight (1 value) and 3 others``.
    """
    name, count = next(iter(found.items()))
    text = f'{name} ({count} value{"s" if count > 1 else ""})'
    others = len(found) - 1
    return f'{text} and {others} more' if others else text


def _tensors(value: object, name: str) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of nested containers with their names."""
    if isinstance(value, torch.Tensor):
        yield name, value
        return
    parts: Iterable[tuple[object, object]]
    if isinstance(value, Mapping):
        parts = value.items()
    elif isinstance(value, (list, tuple)):
        parts = enumerate(value)
    else:
        return
    for key, part in parts:
        if name or key not in _LOGS:
            yield from _tensors(part, f'{name}.{key}' if name else str(key))


def _count(value: Tensor, name: str) -> int:
    """Return the number of values that are not finite."""
    if value.layout != torch.strided or value.is_quantized:
        raise ValueError(f'{name} is not a dense tensor')
    if not (value.is_floating_point() or value.is_complex()):
        return 0
    # Check a value of the file only once, however often the shape repeats it.
    value = value.detach()
    value = value[
        tuple(slice(None) if step else slice(1) for step in value.stride())
    ]
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise ValueError(f'{name} claims more values than it contains')
    # There is no arithmetic for 8-bit floating-point numbers.
    if value.element_size() == 1:
        value = value.float()
    # A sum is faster than a mask; most weights need no further check.
    if value.sum().isfinite():
        return 0
    return int((~value.isfinite()).sum())
