"""An unpickler that accepts only the types of a training checkpoint."""

import pickle
from types import SimpleNamespace
from typing import BinaryIO

import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler

from mmdsr.errors import RefusedTypeError

#: Types that a training checkpoint of mmengine may contain besides plain
#: containers: tensors, the log history with its NumPy arrays, and a class
#: that a schedule refers to.
_ALLOWED = {
    'collections': {'OrderedDict', 'defaultdict', 'deque', 'Counter'},
    'torch': {'Size', 'device'},
    'torch._utils': {'_rebuild_tensor_v2', '_rebuild_parameter'},
    'numpy': {'dtype', 'ndarray'},
    'numpy.core.multiarray': {'_reconstruct', 'scalar'},
    'numpy._core.multiarray': {'_reconstruct', 'scalar'},
    '_codecs': {'encode'},
    'builtins': {'set', 'dict', 'list', 'complex', 'slice'},
    'mmengine.logging.history_buffer': {'HistoryBuffer'},
    'mmengine.optim.scheduler.param_scheduler': {'OneCycleParamScheduler'},
}
#: Functions of these types that a checkpoint may refer to: the statistics of
#: a log history, the curves of a one-cycle schedule.
_METHODS = {
    HistoryBuffer: {'min', 'max', 'mean', 'current'},
    OneCycleParamScheduler: {'_annealing_cos', '_annealing_linear'},
}


def _method(owner: object, name: str) -> object:
    """Replace ``getattr`` by the only access that a checkpoint needs."""
    if not isinstance(owner, type) or name not in _METHODS.get(owner, ()):
        raise RefusedTypeError(
            f'The checkpoint requests the attribute {name!r} of {owner!r}.'
        )
    return getattr(owner, name)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        # Pickles of protocol 2, torch's default, use the old name.
        module = 'builtins' if module == '__builtin__' else module
        if (module, name) == ('builtins', 'getattr'):
            return _method
        if module == 'torch' and isinstance(
            getattr(torch, name, None), torch.dtype
        ):
            return getattr(torch, name)
        # torch.load resolves storage types itself before it calls this.
        if name in _ALLOWED.get(module, ()):
            return super().find_class(module, name)
        raise RefusedTypeError(
            f'The checkpoint contains {module}.{name}, which a training '
            'checkpoint does not need, so it is not loaded. If you trust the '
            'file, keep only its "state_dict" with torch.save and load the '
            'result.'
        )


def _load(file: BinaryIO, encoding: str = 'ASCII') -> object:
    return _Unpickler(file, encoding=encoding).load()


#: Argument ``pickle_module`` of ``torch.load``.
RESTRICTED_PICKLE = SimpleNamespace(
    __name__='mmdsr.io.unpickling', Unpickler=_Unpickler, load=_load
)
