"""From a training checkpoint to a file that is small and safe to share.

What only training needs is left out: optimiser, log history, discriminator,
teacher, and what distillation learns beside the student. What a user needs
is put in: the config, so that the network can be built from the file alone.
"""

import hashlib
import io
import json
import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

import torch
from mmengine.config import Config
from safetensors.torch import save as save_safetensors

from mmdsr.errors import CheckpointError
from mmdsr.io.checkpoint import fit_weights, generator_weights, read_checkpoint
from mmdsr.io.files import write_bytes
from mmdsr.registry import MODELS
from mmdsr.version import __version__
from mmdsr.weights.index import check_free, register
from mmdsr.weights.load import FORMAT, SUFFIXES, check_types

_NAME = re.compile(r'[a-z0-9][a-z0-9._-]*')
#: Keys of a config that say where it ran, not what it is.
_PLACES = ('work_dir', 'load_from', 'resume', 'launcher')


class PublishedFile(NamedTuple):
    """A file that was written.

    Args:
        path (Path): The file.
        sha256 (str): Its digest.
        size (int): Bytes.
    """

    path: Path
    sha256: str
    size: int


def publish(
    cfg,
    checkpoint,
    out,
    name=None,
    half=False,
    suffixes=SUFFIXES,
    notes=None,
    index=False,
    replace=False,
):
    """Write the weights of a trained network, with its config.

    The same input gives the same bytes.

    Args:
        cfg (Config): Config of the training; a distilled student's will do.
        checkpoint (str or Path): Training checkpoint or plain weights.
        out (str or Path): Folder to write to.
        name (str, optional): Name of the weights. Defaults to None, that of
            the experiment.
        half (bool): Store float16. Defaults to False.
        suffixes (Sequence[str]): Of :data:`SUFFIXES`. Defaults to both.
        notes (dict, optional): More to say, such as data and results; must
            fit into JSON. Defaults to None.
        index (bool): Put the first file on the list of the folder, see
            :mod:`mmdsr.weights.index`. Defaults to False.
        replace (bool): Whether the list's entry of that name may be
            replaced. Defaults to False.

    Returns:
        list[PublishedFile]: One file per suffix.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        CheckpointError: If the checkpoint cannot be read, does not fit the
            config, has weights that are not finite (in float16), or if the
            name cannot be used.
    """
    out = Path(out)
    name = name or str(cfg.get('experiment_name') or '').replace('_', '-')
    if not _NAME.fullmatch(name):
        raise CheckpointError(
            f'{name!r} cannot be the name of weights: use small letters, '
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
    # All of it is made before any of it is written.
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


def trained_weights(cfg, checkpoint):
    """Return the weights of the network of a config, checked against it.

    Args:
        cfg (Config): Config of the training.
        checkpoint (str or Path): Training checkpoint or plain weights.

    Returns:
        dict[str, Tensor]: Weights without ``generator.``, contiguous.

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


def to_half(weights):
    """Round weights to float16.

    Args:
        weights (dict[str, Tensor]): Weights.

    Returns:
        dict[str, Tensor]: float16; integers are kept.

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


def config_text(cfg):
    """Return the text of a config without the places it was run in.

    Args:
        cfg (Config): The config.

    Returns:
        str: Python text. Of absolute paths the last part is kept.
    """
    content = {k: v for k, v in _plain(cfg).items() if k not in _PLACES}
    return Config(_without_folders(content)).pretty_text


def _plain(value):
    """Turn a config into what JSON knows."""
    if isinstance(value, Config):
        value = value.to_dict()
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def _without_folders(value):
    if isinstance(value, dict):
        return {k: _without_folders(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_folders(part) for part in value]
    if isinstance(value, str):
        for kind in (PurePosixPath, PureWindowsPath):
            if kind(value).is_absolute() or value.startswith('~'):
                return kind(value).name
    return value


def _safetensors(state, meta):
    # One entry: the library writes several in an order that changes, and
    # the file would get another checksum each time.
    text = json.dumps(meta, sort_keys=True)
    return save_safetensors(state, metadata={'mmdsr': text})


def _pth(state, meta):
    buffer = io.BytesIO()
    torch.save(dict(state_dict=state, meta=meta), buffer)
    return buffer.getvalue()


_ENCODERS = {'.safetensors': _safetensors, '.pth': _pth}
