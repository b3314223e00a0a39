"""Load a published file as a network that is ready to run."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mmdsr.errors import CheckpointError, UnknownNetworkError
from mmdsr.io.checkpoint import (
    compare,
    fit_weights,
    generator_weights,
    read_checkpoint,
    refuse,
)
from mmdsr.registry import MODELS
from mmdsr.weights.index import FOLDER, available, check_digest, weight_path

#: Key that marks a published file in its metadata.
FORMAT = 'mmdsr-weights'
SUFFIXES = ('.safetensors', '.pth')
_DIGITS = re.compile(r'-([0-9a-f]{8})$')
#: Maximum length of a reason, which can be long for a damaged file.
_LONGEST = 300
#: Number of layers of a kind that any network may have.
_USUAL = 1024


class Published(NamedTuple):
    """Content of a published file.

    Args:
        weights: Weights of the network.
        meta: ``name``, ``generator`` (config of the network), ``config`` (text
            of the whole config), ``dtype``, ``parameters``, ``mmdsr_version``,
            ``notes``.
    """

    weights: dict[str, Tensor]
    meta: dict[str, Any]


def read_published(
    name_or_path: Path | str, folder: Path | str = FOLDER
) -> Published:
    """Read published weights and their metadata.

    Args:
        name_or_path: One of ``available()``, or a file. The digits in the name
            of the file must be those of its SHA-256.
        folder: Where names are looked up. Defaults to the folder of the
            package.

    Returns:
        Weights and metadata.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If the name is unknown, or the file is damaged or
            was not made by ``tools/model_converters/publish.py``.
    """
    path = Path(name_or_path)
    if path.suffix not in SUFFIXES:
        path = weight_path(str(name_or_path), folder)
    elif not path.is_file():
        names = ', '.join(available(folder)) or 'none'
        raise FileNotFoundError(
            f'There are no weights at {path}. Available by name: {names}.'
        )
    elif digits := _DIGITS.search(path.stem):
        check_digest(path, digits[1])
    content = read_checkpoint(path)
    meta = content.get('meta')
    if not isinstance(meta, dict) or meta.get('format') != FORMAT:
        raise UnknownNetworkError(
            f'{path} does not describe its network. Publish it with '
            'tools/model_converters/publish.py, or load it with its config.'
        )
    return Published(generator_weights(content), meta)


def load_published(
    name_or_path: Path | str,
    folder: Path | str = FOLDER,
    device: str | torch.device = 'cpu',
) -> nn.Module:
    """Build the network of published weights, and load them.

    The file alone determines the network, and no code from it is run.

    Args:
        name_or_path: See :func:`read_published`.
        folder: Where names are looked up. Defaults to the folder of the
            package.
        device: Device of the network.

    Returns:
        The network in float32, in evaluation mode.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If it cannot be used.

    Examples:
        >>> from mmdsr.weights import load_published
        >>> network = load_published('dsrnet_x_nano')
        >>> type(network).__name__, network.scale, network.training
        ('DSRNetX', 4, False)
    """
    weights, meta = read_published(name_or_path, folder)
    generator = check_types(meta.get('generator'), name_or_path)
    _check_numbers(generator, weights, name_or_path)
    # On the meta device first, as a damaged width may require too much memory.
    with torch.device('meta'):
        own = _build(generator, meta, name_or_path).state_dict()
    missing, unexpected, shapes = compare(own, weights)
    refuse(own, missing, unexpected, shapes, name_or_path, 'generator')
    network = _build(generator, meta, name_or_path)
    fit_weights(network, weights, name_or_path)
    return network.to(device).eval()


def _check_numbers(
    generator: dict[str, Any], weights: dict[str, Tensor], source: Path | str
) -> None:
    """Raise an error for widths and layers that the weights cannot have."""
    sides = [v.shape for v in weights.values() if isinstance(v, torch.Tensor)]
    largest = max(_USUAL, len(weights), *(max(s, default=0) for s in sides))
    wrong = [
        value
        for value in _leaves(generator)
        if isinstance(value, int) and value > largest
    ]
    if wrong:
        raise CheckpointError(
            f'{source} is damaged: its network has a width or a number of '
            f'layers of {wrong[0]:.4g}, which does not fit its weights.'
        )


def _leaves(value: object) -> Iterator[object]:
    """Yield the values in nested dicts and lists."""
    if isinstance(value, (dict, list, tuple)):
        values = value.values() if isinstance(value, dict) else value
        for part in values:
            yield from _leaves(part)
    else:
        yield value


def _build(
    generator: dict[str, Any], meta: dict[str, Any], source: Path | str
) -> nn.Module:
    """Build the network of a file, or report why it cannot be built."""
    try:
        return MODELS.build(generator)
    # Another version may have other arguments, and a damaged file may cause
    # any error.
    except Exception as error:
        lines = str(error).splitlines() or [type(error).__name__]
        version = ' '.join(str(meta.get('mmdsr_version')).split())[:20]
        raise CheckpointError(
            f'{source} was made by mmdsr {version}; its network cannot be '
            f'built here: {lines[0][:_LONGEST]}'
        ) from error


def check_types(generator: object, source: Path | str) -> dict[str, Any]:
    """Raise an error if a network has parts from outside this package.

    Args:
        generator: Config of the network.
        source: Where the config is from, for messages.

    Returns:
        The config.

    Raises:
        CheckpointError: If a ``type`` is missing or is not ``mmdsr.X``.
    """
    names: list[object] = []

    def collect(value: object) -> None:
        if isinstance(value, dict):
            names.extend(v for k, v in value.items() if k == 'type')
            for part in value.values():
                collect(part)
        elif isinstance(value, (list, tuple)):
            for part in value:
                collect(part)

    collect(generator)
    wrong = [n for n in names if not str(n).startswith('mmdsr.')]
    shown = ', '.join(repr(n) for n in wrong)[:_LONGEST]
    if not isinstance(generator, dict) or 'type' not in generator or wrong:
        raise CheckpointError(
            f'{source} requests {shown or "no network"}: only networks of '
            "type 'mmdsr.X' can be published."
        )
    return generator
