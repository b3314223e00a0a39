"""The memory that an unknown network needs."""

import weakref
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

#: Side of the image that is tried. Larger windows are padded to their size.
_SIDE = 32
_known: weakref.WeakKeyDictionary[nn.Module, float] = (
    weakref.WeakKeyDictionary()
)


class _Peak(TorchDispatchMode):
    """Adds up the memory of all results that are alive."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[StorageWeakRef, int] = {}
        self.peak = 0

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - an operator, with its own arguments
        types: Any,  # noqa: ANN401
        args: Any = (),  # noqa: ANN401
        kwargs: Any = None,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        out = func(*args, **(kwargs or {}))
        for result in out if isinstance(out, (tuple, list)) else [out]:
            if isinstance(result, Tensor):
                self._add(result)
        return out

    def _add(self, result: Tensor) -> None:
        self.alive = {
            storage: size
            for storage, size in self.alive.items()
            if not storage.expired()
        }
        # Views and in-place results share memory that is already counted.
        storage = result.untyped_storage()
        self.alive[StorageWeakRef(storage)] = storage.nbytes()
        self.peak = max(self.peak, sum(self.alive.values()))


@torch.no_grad()
def bytes_per_pixel(network: nn.Module) -> float:
    """Measure the peak memory of a single-image network.

    Args:
        network: Takes LR images (N, 3, H, W). It is run once on a small one;
            afterwards the result is known.

    Returns:
        Bytes of float32 tensors per pixel of LR, without what a convolution
        uses while it computes.
    """
    if network not in _known:
        weight = next(network.parameters(), None)
        device = 'cpu' if weight is None else weight.device
        image = torch.zeros(1, 3, _SIDE, _SIDE, device=device)
        with _Peak() as peak:
            network(image)
        _known[network] = peak.peak / _SIDE**2
    return _known[network]
