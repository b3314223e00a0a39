"""Convert a training checkpoint to a file that is small and safe to share.

Everything that only training needs is left out: optimizer, log history,
discriminator, teacher, and the other weights learned in distillation. The
config, which users need, is added, so that the network can be built from the
file alone.
"""

import hashlib
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from safetensors.torch import save as save_safetensors
from torch import Tensor

from mmdsr.errors import CheckpointError
from mmdsr.io.checkpoint import fit_weights, generator_weights, read_checkpoint
from mmdsr.io.files import write_bytes
from mmdsr.registry import MODELS
from mmdsr.version import __version__
from mmdsr.weights.index import check_free, register
from mmdsr.weights.load import FORMAT, SUFFIXES, check_types

Json = None | bool | int | float | str | list['Json'] | dict[str, 'Json']
_NAME = re.compile(r'[a-z0-9][a-z0-9._-]*')
#: Keys of a config that depend on the machine.
_PLACES = ('work_dir', 'load_from', 'resume', 'launcher')


class PublishedFile(NamedTuple):
    """A file that was written.

    Args:
        path: The file.
        sha256: Its SHA-256.
        size: Its size in bytes.
    """

    path: Path
    sha256: str
    size: int


def publish(
    cfg: Config,
    checkpoint: Path | str,
    out: Path | str,
    name: str | None = None,
    half: bool = False,
    suffixes: Sequence[str] = SUFFIXES,
    notes: dict[str, Any] | None = None,
    index: bool = False,
    replace: bool = False,
) -> list[PublishedFile]:
    """Write the weights of a trained network, with its config.

    Equal inputs give equal bytes.

    Args:
        cfg: Config of the training, which may be that of a distillation.
        checkpoint: Training checkpoint or plain weights.
        out: Folder to write to.
        name: Name of the weights. Defaults to that of the experiment.
        half: Whether to store float16.
        suffixes: Formats to write, out of :data:`SUFFIXES`.
        notes: Further metadata, such as data and results, as JSON values.
        index: Whether to add the first file to the list of the folder, see
            :mod:`mmdsr.weights.index`.
        replace: Whether the list's entry of that name may be replaced.

    Returns:
        One file per suffix.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        CheckpointError: If the checkpoint cannot be read or does not fit the
            config, if its weights are not finite (in float16), or if the
            name cannot be used.
    """
    out = Path(out)
    name = name or str(cfg.get('experiment_name') or '').replace('_', '-')
    if not _NAME.fullmatch(name):
        raise CheckpointError(
            f'{name!r} cannot be the name of weights: use lower-case letters, '
            'digits, "-", "_" and ".", see --name.'
        )
    if index:
        check_free(out, name, replace)
    weights = trained_weights(cfg, checkpoint)
    if half:
        weights = to_half(weights)
    meta = dict(
        format=FORMAT,
        format_version=1,
        name=name,
        generator=_plain(cfg.model.generator),
        config=config_text(cfg),
        dtype='float16' if half else 'float32',
        parameters=sum(value.numel() for value in weights.values()),
        mmdsr_version=__version__,
        notes=_plain(notes or {}),
    )
    state = {f'generator.{k}': v for k, v in weights.items()}
    # Encode everything before writing anything.
    files = []
    for suffix in suffixes:
        data = _ENCODERS[suffix](state, meta)
        digest = hashlib.sha256(data).hexdigest()
        files.append((out / f'{name}-{digest[:8]}{suffix}', digest, data))
    for path, _, data in files:
        write_bytes(path, data)
    if index:
        register(out, name, files[0][0].name, replace)
    return [PublishedFile(p, d, len(data)) for p, d, data in files]


def trained_weights(cfg: Config, checkpoint: Path | str) -> dict[str, Tensor]:
    """Return the weights of the network of a config, checked against it.

    Args:
        cfg: Config of the training.
        checkpoint: Training checkpoint or plain weights.

    Returns:
        Weights without the prefix ``generator.``, contiguous.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        CheckpointError: If it cannot be read or does not fit.
    """
    generator = cfg.get('model', {}).get('generator')
    check_types(_plain(generator), 'The config')
    weights = generator_weights(read_checkpoint(checkpoint), checkpoint)
    fit_weights(MODELS.build(generator), weights, checkpoint)
    # Tied weights share memory, which safetensors refuses.
    return {
        k: v.detach().cpu().contiguous().clone() for k, v in weights.items()
    }


def to_half(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Round weights to float16.

    Args:
        weights: Weights by name.

    Returns:
        Weights in float16; integers are unchanged.

    Raises:
        CheckpointError: If a number is too large for float16.
    """
    result = {}
    for key, value in weights.items():
        if not value.is_floating_point():
            result[key] = value
            continue
        result[key] = value.half()
        if not result[key].isfinite().all():
            raise CheckpointError(
                f'{key} has numbers up to {value.abs().max():.3g}, too large '
                'for float16: publish float32.'
            )
    return result


def config_text(cfg: Config) -> str:
    """Return the text of a config without the paths of its machine.

    Args:
        cfg: The config.

    Returns:
        Python code. Only the last part of an absolute path is kept.
    """
    content = {k: v for k, v in cfg.to_dict().items() if k not in _PLACES}
    return Config(_without_folders(_plain(content))).pretty_text


def _plain(value: object) -> Json:
    """Turn a config into values that JSON has."""
    if isinstance(value, Config):
        value = value.to_dict()
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def _without_folders(value: Json) -> Json:
    if isinstance(value, dict):
        return {k: _without_folders(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_folders(part) for part in value]
    if isinstance(value, str):
        for kind in (PurePosixPath, PureWindowsPath):
            if kind(value).is_absolute() or value.startswith('~'):
                return kind(value).name
    return value


def _safetensors(state: dict[str, Tensor], meta: dict[str, Any]) -> bytes:
    # One entry: the library writes several in a varying order, and the
    # file would get another checksum each time.
    text = json.dumps(meta, sort_keys=True)
    return save_safetensors(state, metadata={'mmdsr': text})


def _pth(state: dict[str, Tensor], meta: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(dict(state_dict=state, meta=meta), buffer)
    return buffer.getvalue()


_ENCODERS = {'.safetensors': _safetensors, '.pth': _pth}
