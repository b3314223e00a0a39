"""Read checkpoints without running code from them.

Since torch 2.6, ``torch.load`` refuses what mmengine 0.10 stores besides the
weights (log history, NumPy numbers), and the usual workaround, full
unpickling, runs any code that a file contains. Here, a plain state dict is
read with ``weights_only=True``, and a training checkpoint with an unpickler
that accepts only the few types that mmengine writes and refuses all others by
name. Neither resuming nor testing needs full unpickling or an environment
variable.
"""

import errno
import json
import pickle
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from mmdsr.errors import CheckpointError, RefusedTypeError
from mmdsr.io.files import whole_file
from mmdsr.io.finite import describe, non_finite
from mmdsr.io.unpickling import RESTRICTED_PICKLE

#: Keys of the weights in files of other programs, in order of preference.
_WRAPPINGS = ('state_dict', 'params_ema', 'params')
#: Possible prefix of the names of weights.
_PREFIX = 'module.'


def read_checkpoint(
    path: str | Path, map_location: str | torch.device | None = 'cpu'
) -> dict[str, Any]:
    """Read a checkpoint or a state dict; runs no code from the file.

    Args:
        path: A file of ``torch.save``, or published weights
            (``.safetensors``).
        map_location: See ``torch.load``. Defaults to 'cpu'.

    Returns:
        The content.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If the file is truncated, is not a checkpoint,
            contains types that a checkpoint does not need, or contains numbers
            that are not finite; the message names the layer.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'The checkpoint {path} does not exist.')
    read = _read_torch
    if path.suffix == '.safetensors':
        read = _read_safetensors
    content = read(path, map_location)
    if not isinstance(content, dict):
        raise CheckpointError(
            f'{path} contains a {type(content).__name__}, not a checkpoint.'
        )
    try:
        broken = non_finite(content)
    except ValueError as error:
        raise CheckpointError(f'{path} is damaged: {error}.') from error
    if broken:
        raise CheckpointError(
            f'{path} contains weights that are not finite: '
            f'{describe(broken)}. The training that wrote it diverged, or the '
            'file is damaged: use an earlier checkpoint.'
        )
    return content


def _read_torch(path: Path, map_location: str | torch.device | None) -> object:
    """Read a file of ``torch.save``."""
    try:
        try:
            return torch.load(
                path, map_location=map_location, weights_only=True
            )
        except pickle.UnpicklingError:
            return torch.load(
                path,
                map_location=map_location,
                weights_only=False,
                pickle_module=RESTRICTED_PICKLE,
            )
    except RefusedTypeError as error:
        raise CheckpointError(
            f'{path} cannot be read as a checkpoint: {error}'
        ) from error
    # For a damaged file, torch raises errors of many types, whose messages are
    # about its internals.
    except Exception as error:
        reason = (
            'it is truncated, damaged, or a file of another kind '
            f'({type(error).__name__})'
        )
        # A wrong offset in the file is reported as an invalid argument.
        if isinstance(error, OSError) and error.errno not in (
            None,
            errno.EINVAL,
        ):
            reason = str(error.strerror)
        raise CheckpointError(
            f'{path} cannot be read as a checkpoint: {reason}.'
        ) from error


def _read_safetensors(
    path: Path, map_location: str | torch.device | None
) -> dict[str, Any]:
    """Read published weights: ``state_dict`` and, if there is one, ``meta``.

    The package that reads them is imported here because training and the
    simulator do not need it.
    """
    from safetensors import safe_open

    try:
        with safe_open(path, 'pt', device=str(map_location or 'cpu')) as file:
            meta = (file.metadata() or {}).get('mmdsr')
            content = dict(
                state_dict={k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
            )
        if meta is not None:
            content['meta'] = json.loads(meta)
    # Its own error, and those of the system and of torch.
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else ''
        raise CheckpointError(
            f'{path} cannot be read as a safetensors file '
            f'({type(error).__name__}: {reason[:100]}).'
        ) from error
    return content


def load_from_local(
    filename: str | Path, map_location: str | torch.device | None = None
) -> dict[str, Any]:
    """Loader of local files for mmengine, see :func:`read_checkpoint`."""
    return read_checkpoint(filename, map_location)


def use_safe_loader() -> None:
    """Let mmengine read local checkpoints with :func:`read_checkpoint`.

    Affects ``Runner.resume``, ``load_from`` and ``init_cfg`` of the running
    process. ``tools/train.py`` and ``tools/test.py`` call it.
    """
    CheckpointLoader.register_scheme(
        prefixes='', loader=load_from_local, force=True
    )


def find_checkpoint(path: str | Path) -> Path:
    """Return the path of a checkpoint, given its path or a directory.

    Args:
        path: File or working directory.

    Returns:
        The file; in a directory, the best checkpoint, otherwise the one that
        ``last_checkpoint`` names, otherwise that of the most steps. (A copy
        keeps no times, and a training that was resumed at an earlier step
        leaves later ones.)

    Raises:
        FileNotFoundError: If there is none.
    """
    path = Path(path).expanduser()
    if path.is_file():
        return path
    best = list(path.glob('best_*.pth'))
    if best:
        return max(best, key=lambda file: file.stat().st_mtime)
    note = path / 'last_checkpoint'
    if note.is_file():
        named = path / Path(note.read_text(errors='replace').strip()).name
        if named.is_file():
            return named
    for pattern in ('iter_*.pth', 'epoch_*.pth'):
        found = list(path.glob(pattern))
        if found:
            return max(found, key=_step)
    raise FileNotFoundError(f'There is no checkpoint at {path}.')


def _step(file: Path) -> int:
    """Return the number at the end of a name, -1 without one."""
    number = re.search(r'(\d+)$', file.stem)
    return int(number[1]) if number else -1


def unwrap(
    content: dict[str, Any], source: str | Path | None = None
) -> dict[str, Tensor]:
    """Return the state dict of a checkpoint of any program.

    The weights may be wrapped in ``state_dict``, ``params_ema`` or ``params``,
    and their names may all begin with ``module.``. The log reports wrappers of
    other programs.

    Args:
        content: Checkpoint or state dict.
        source: Origin of the weights, for the log. Defaults to None, which
            logs nothing.

    Returns:
        The weights by name.
    """
    said, state = [], content
    while key := next(
        (k for k in _WRAPPINGS if isinstance(state.get(k), dict)), None
    ):
        if key != 'state_dict' or 'meta' not in state:
            said.append(f'from {key!r}')
        state = state[key]
    state = {str(key): value for key, value in state.items()}
    if state and all(key.startswith(_PREFIX) for key in state):
        said.append(f'without the prefix {_PREFIX!r}')
        state = {k.removeprefix(_PREFIX): v for k, v in state.items()}
    if said and source is not None:
        print_log(f'{source}: weights taken {", ".join(said)}.', 'current')
    return state


def generator_weights(
    content: dict[str, Any], source: str | Path | None = None
) -> dict[str, Tensor]:
    """Extract the weights of the generator from a checkpoint.

    Args:
        content: Training checkpoint, or state dict of a model or of a
            generator alone; see :func:`unwrap`.
        source: Origin of the weights, for the log. Defaults to None.

    Returns:
        Keys without ``generator.``.
    """
    state = unwrap(content, source)
    own = {
        key.removeprefix('generator.'): value
        for key, value in state.items()
        if key.startswith('generator.')
    }
    return own or state


def load_generator(generator: nn.Module, path: str | Path) -> None:
    """Load the weights of a network strictly.

    mmengine's own loading only warns if the weights do not fit, and the
    network would run with random ones.

    Args:
        generator: Network to load into, in place.
        path: Training checkpoint or state dict.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If the weights do not match; the message names some
            keys.
    """
    weights = generator_weights(read_checkpoint(path), path)
    fit_weights(generator, weights, path)


def load_model(model: nn.Module, path: str | Path) -> None:
    """Load the weights of a whole model strictly.

    Unlike :func:`load_generator`, this applies a model's own conversions of
    old weights.

    Args:
        model: Model of any host to load into, in place.
        path: Training checkpoint or state dict.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If the weights do not match; the message names some
            keys.
    """
    weights = unwrap(read_checkpoint(path), path)
    own = model.state_dict()
    shapes = [key for key in weights if not _same_shape(own, weights, key)]
    missing: Collection[str] = ()
    unexpected: Collection[str] = ()
    if not shapes:
        missing, unexpected = model.load_state_dict(weights, strict=False)
    refuse(own, missing, unexpected, shapes, path, 'model')


def _same_shape(
    own: Mapping[str, Tensor], weights: Mapping[str, Tensor], key: str
) -> bool:
    """Return whether a weight is unknown or has the expected shape."""
    if not isinstance(weights[key], torch.Tensor):
        return False
    return key not in own or own[key].shape == weights[key].shape


def fit_weights(
    generator: nn.Module, weights: dict[str, Tensor], source: str | Path
) -> None:
    """Load weights into a network, strictly.

    Args:
        generator: Network to load into, in place.
        weights: See :func:`generator_weights`; float16 becomes float32.
        source: Origin of the weights, for messages.

    Raises:
        CheckpointError: If they do not match; the message names some keys.
    """
    own = generator.state_dict()
    refuse(own, *compare(own, weights), source, 'generator')
    generator.load_state_dict(weights)


def compare(
    own: Mapping[str, Tensor], weights: Mapping[str, Tensor]
) -> tuple[set[str], set[str], set[str]]:
    """Compare the weights of a model with those of a file.

    Args:
        own: Weights of the model.
        weights: Weights of the file.

    Returns:
        Keys that are missing in the file, unexpected in it, and of another
        shape.
    """
    shapes = {
        key
        for key in own.keys() & weights.keys()
        if own[key].shape != getattr(weights[key], 'shape', None)
    }
    return own.keys() - weights.keys(), weights.keys() - own.keys(), shapes


def refuse(
    own: Collection[str],
    missing: Collection[str],
    unexpected: Collection[str],
    shapes: Collection[str],
    source: str | Path,
    part: str,
) -> None:
    """Raise an error if any weight does not match.

    Args:
        own: All keys of the model.
        missing: Keys that the file lacks.
        unexpected: Keys that the model lacks.
        shapes: Keys of another shape.
        source: The file.
        part: Part that it should fit, e.g. ``'generator'``.

    Raises:
        CheckpointError: If a weight does not fit; the message counts what fits
            and what does not.
    """
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
        fitting = len(set(own) - set(missing) - set(shapes))
        raise CheckpointError(
            f'{source} does not fit the {part} of the config: {fitting} of '
            f'{len(own)} keys fit; {"; ".join(problems)}. Was it trained '
            'with another config?'
        )


def save_weights(state_dict: dict[str, Tensor], path: str | Path) -> None:
    """Write a plain state dict that loads with ``weights_only=True``.

    The file is written completely or not at all.

    Args:
        state_dict: Weights.
        path: Target.
    """
    with whole_file(Path(path)) as temporary:
        torch.save(
            {key: value.detach().cpu() for key, value in state_dict.items()},
            temporary,
        )
