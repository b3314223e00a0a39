"""Reading checkpoints without running code from them.

Since torch 2.6 ``torch.load`` refuses what mmengine 0.10 stores besides the
weights (log history, NumPy numbers), and the usual way out, full unpickling,
runs whatever code a file contains. Here a plain state dict is read with
``weights_only=True``; a training checkpoint with an unpickler that knows the
handful of types that mmengine writes and refuses all others by name. Neither
resuming nor testing needs full unpickling or an environment variable.
"""

import json
import os
import pickle
from pathlib import Path
from types import SimpleNamespace

import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
from mmengine.runner.checkpoint import CheckpointLoader

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


def _method(owner, name):
    """The only attribute access that a checkpoint needs."""
    if not isinstance(owner, type) or name not in _METHODS.get(owner, ()):
        raise pickle.UnpicklingError(
            f'The checkpoint asks for the attribute {name!r} of {owner!r}.'
        )
    return getattr(owner, name)


class CheckpointError(ValueError):
    """A file cannot be read as a checkpoint, or does not fit."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        # Pickles of protocol 2, torch's default, use the old name.
        module = 'builtins' if module == '__builtin__' else module
        if (module, name) == ('builtins', 'getattr'):
            return _method
        if module == 'torch' and isinstance(
            getattr(torch, name, None), torch.dtype
        ):
            return getattr(torch, name)
        # torch.load resolves the storage types itself before it asks here.
        if name in _ALLOWED.get(module, ()):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(
            f'The checkpoint contains {module}.{name}, which is not among '
            'the types that a training checkpoint needs, so it is not '
            'loaded. If you trust the file, keep only its "state_dict" with '
            'torch.save and load that.'
        )


def _load(file, **kwargs):
    return _Unpickler(file, **kwargs).load()


#: What ``torch.load`` takes as ``pickle_module``.
_RESTRICTED_PICKLE = SimpleNamespace(
    __name__='mmdsr.engine.checkpoint', Unpickler=_Unpickler, load=_load
)


def read_checkpoint(path, map_location='cpu'):
    """Read a checkpoint or a state dict; runs no code from the file.

    Args:
        path (str or Path): A file of ``torch.save``, or published weights
            (``.safetensors``).
        map_location (str or torch.device): As of ``torch.load``. Defaults to
            'cpu'.

    Returns:
        dict: The content.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If the file is truncated, is no checkpoint, or
            contains types that a checkpoint does not need.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'The checkpoint {path} does not exist.')
    if path.suffix == '.safetensors':
        return _read_safetensors(path, map_location)
    try:
        try:
            content = torch.load(
                path, map_location=map_location, weights_only=True
            )
        except pickle.UnpicklingError:
            content = torch.load(
                path,
                map_location=map_location,
                weights_only=False,
                pickle_module=_RESTRICTED_PICKLE,
            )
    # torch raises RuntimeError for a broken archive, EOFError for an empty
    # file and unpickling errors of many kinds for other files.
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        KeyError,
        ValueError,
        AttributeError,
        TypeError,
    ) as error:
        raise CheckpointError(
            f'{path} cannot be read as a checkpoint: {error}'
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(
            f'{path} contains a {type(content).__name__}, not a checkpoint.'
        )
    return content


def _read_safetensors(path, map_location):
    """Read published weights: ``state_dict`` and, if there is one, ``meta``.

    The package that reads them is imported here, for training and the
    simulator do without it.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, 'pt', device=str(map_location or 'cpu')) as file:
            meta = (file.metadata() or {}).get('mmdsr')
            content = dict(
                state_dict={k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
            )
        if meta is not None:
            content['meta'] = json.loads(meta)
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(
            f'{path} cannot be read as a safetensors file: {error}'
        ) from error
    return content


def load_from_local(filename, map_location=None):
    """Loader of local files for mmengine, see :func:`read_checkpoint`."""
    return read_checkpoint(filename, map_location)


def use_safe_loader():
    """Let mmengine read local checkpoints with :func:`read_checkpoint`.

    Affects ``Runner.resume``, ``load_from`` and ``init_cfg`` of the running
    process. ``tools/train.py`` and ``tools/test.py`` call it.
    """
    CheckpointLoader.register_scheme(
        prefixes='', loader=load_from_local, force=True
    )


def find_checkpoint(path):
    """Return a checkpoint, given its path or a working directory.

    Args:
        path (str or Path): File or working directory.

    Returns:
        Path: The file; of a directory the best one, else the newest.

    Raises:
        FileNotFoundError: If there is none.
    """
    path = Path(path).expanduser()
    if path.is_file():
        return path
    for pattern in ('best_*.pth', 'iter_*.pth', 'epoch_*.pth'):
        found = sorted(
            path.glob(pattern), key=lambda file: file.stat().st_mtime
        )
        if found:
            return found[-1]
    raise FileNotFoundError(f'There is no checkpoint at {path}.')


def generator_weights(content):
    """Pick the generator's weights out of a checkpoint.

    Args:
        content (dict): Training checkpoint, or state dict of a model or of a
            generator alone.

    Returns:
        dict[str, Tensor]: Keys without ``generator.``.
    """
    state = content.get('state_dict', content)
    own = {
        key.removeprefix('generator.'): value
        for key, value in state.items()
        if key.startswith('generator.')
    }
    return own or dict(state)


def load_generator(generator, path):
    """Load the weights of a network strictly.

    mmengine's own loading only warns if the weights do not fit, and the
    network would run with random ones.

    Args:
        generator (nn.Module): Network to load into, in place.
        path (str or Path): Training checkpoint or state dict.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If the weights do not fit; names some of the keys.
    """
    fit_weights(generator, generator_weights(read_checkpoint(path)), path)


def load_model(model, path):
    """Load the weights of a whole model strictly.

    Unlike :func:`load_generator`, conversions of old weights that a model
    brings along are used.

    Args:
        model (nn.Module): Model of any host to load into, in place.
        path (str or Path): Training checkpoint or state dict.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If the weights do not fit; names some of the keys.
    """
    content = read_checkpoint(path)
    weights = content.get('state_dict', content)
    own = model.state_dict()
    shapes = [key for key in weights if not _same_shape(own, weights, key)]
    missing = unexpected = ()
    if not shapes:
        missing, unexpected = model.load_state_dict(weights, strict=False)
    _refuse(missing, unexpected, shapes, path, 'model')


def _same_shape(own, weights, key):
    """Whether a weight is unknown, or as large as it should be."""
    if not isinstance(weights[key], torch.Tensor):
        return False
    return key not in own or own[key].shape == weights[key].shape


def fit_weights(generator, weights, source):
    """Put weights into a network, strictly.

    Args:
        generator (nn.Module): Network to load into, in place.
        weights (dict[str, Tensor]): See :func:`generator_weights`; float16
            becomes float32.
        source (str or Path): Where they are from, for messages.

    Raises:
        CheckpointError: If they do not fit; names some of the keys.
    """
    own = generator.state_dict()
    shapes = {
        key
        for key in own.keys() & weights.keys()
        if own[key].shape != getattr(weights[key], 'shape', None)
    }
    _refuse(
        own.keys() - weights.keys(),
        weights.keys() - own.keys(),
        shapes,
        source,
        'generator',
    )
    generator.load_state_dict(weights)


def _refuse(missing, unexpected, shapes, source, part):
    """Raise an error if any weight does not fit."""
    problems = []
    for kind, keys in (
        ('missing', missing),
        ('unexpected', unexpected),
        ('of another shape', shapes),
    ):
        if keys:
            first = ', '.join(sorted(map(str, keys))[:3])
            problems.append(f'{len(keys)} {kind} ({first}, ...)')
    if problems:
        raise CheckpointError(
            f'{source} does not fit the {part} of the config: '
            f'{"; ".join(problems)}. Was it trained with another config?'
        )


def save_weights(state_dict, path):
    """Write a plain state dict that loads with ``weights_only=True``.

    The file appears complete or not at all.

    Args:
        state_dict (dict[str, Tensor]): Weights.
        path (str or Path): Target.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        torch.save(
            {key: value.detach().cpu() for key, value in state_dict.items()},
            temporary,
        )
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
