"""Locate the weights that a config refers to before anything starts.

Names such as ``torchvision://resnet50`` and URLs refer to files in torch's
cache, ``~/.cache/torch/hub/checkpoints``. Missing files are downloaded; if
that fails, the message says which file must be copied where.
"""

import http.client
import re
import socket
import urllib.parse
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import checkpoint as mmengine_checkpoint

from mmdsr.errors import CheckpointError, UsageError
from mmdsr.io.checkpoint import read_checkpoint

#: Keys whose value may be a name or a URL of weights.
_KEYS = ('checkpoint', 'pretrained', 'weights', 'load_from')
#: Functions of mmengine that list the URLs of model zoos.
_SCHEMES = {
    'http': None,
    'https': None,
    'torchvision': 'get_torchvision_models',
    'modelzoo': 'get_torchvision_models',
    'open-mmlab': 'get_external_models',
    'openmmlab': 'get_external_models',
    'mmcls': 'get_mmcls_models',
}
#: Model zoos whose file names end in the first digits of the SHA-256.
_HASHED = '//download.pytorch.org/'
_DIGITS = re.compile(r'-([0-9a-f]{8,})\.')
#: Seconds without a response after which a download fails.
_PATIENCE = 30
_WITHOUT_VGG = (
    ', or to any file with model.perceptual_loss.weights=FILE; '
    'configs/dsrnet/teacher_plus.py trains without L_per and does not need '
    'this file'
)


def address(name: str) -> str | None:
    """Return the URL of named weights.

    Args:
        name: Name in a model zoo (``torchvision://``, ``open-mmlab://``,
            ``mmcls://``), or a URL.

    Returns:
        The URL, None if the name is the path of a file.

    Raises:
        CheckpointError: If the model zoo has no weights of that name.
    """
    scheme, _, model = name.partition('://')
    if not model or scheme not in _SCHEMES:
        return None
    lister = _SCHEMES[scheme]
    if lister is None:
        return name
    known = getattr(mmengine_checkpoint, lister)()
    model = mmengine_checkpoint.get_deprecated_model_names().get(model, model)
    if model not in known:
        raise CheckpointError(
            f'{name}: {scheme} has no weights with that name.'
        )
    found = known[model]
    return found if '://' in found else None


def cached(url: str) -> Path:
    """Return the path of a downloaded file.

    Args:
        url: Its URL.

    Returns:
        The path, whether or not the file exists.
    """
    name = PurePosixPath(urllib.parse.urlparse(url).path).name
    return Path(torch.hub.get_dir(), 'checkpoints', name)


def fetch(url: str, what: str, otherwise: str = '') -> Path:
    """Return a downloaded file; download it if it does not exist.

    Args:
        url: Its URL.
        what: Description of the file, for the message.
        otherwise: Alternatives, for the message. Defaults to ''.

    Returns:
        The file.

    Raises:
        CheckpointError: If it is not there and cannot be downloaded.
    """
    path = cached(url)
    if path.is_file():
        return path
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        digits = _DIGITS.search(path.name) if _HASHED in url else None
        torch.hub.download_url_to_file(url, str(path), digits and digits[1])
    # urllib's errors are OSErrors; torch raises RuntimeError for a digest.
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        raise CheckpointError(
            f'{what} are missing: {path} does not exist and cannot be '
            f'downloaded ({getattr(error, "reason", error)}). Download {url} '
            f'elsewhere and copy it to {path}{otherwise}.'
        ) from error
    finally:
        socket.setdefaulttimeout(before)
    return path


def vgg19() -> Path:
    """Return the file of torchvision's VGG19, of the perceptual loss.

    Returns:
        The file.

    Raises:
        CheckpointError: If it is not there and cannot be downloaded.
    """
    # The import takes a second.
    from torchvision.models import VGG19_Weights

    url = VGG19_Weights.IMAGENET1K_V1.url
    return fetch(
        url, 'The VGG19 weights of the perceptual loss (L_per)', _WITHOUT_VGG
    )


def check_weights(cfg: Config) -> None:
    """Check that all initial weights of a training run are available.

    Args:
        cfg: The config.

    Raises:
        UsageError: If a file is missing and cannot be downloaded.
    """
    parts = {'model': cfg.get('model'), 'load_from': cfg.get('load_from')}
    try:
        for option, value in _named(parts, ''):
            if value == 'torchvision':
                vgg19()
            elif url := address(value):
                fetch(url, f'The weights {value} ({option})')
    except CheckpointError as error:
        raise UsageError(str(error)) from error
    path = parts['load_from']
    if path and not address(path) and not Path(path).exists():
        raise UsageError(f'The checkpoint {path} (load_from) does not exist.')


def _named(part: object, option: str) -> Iterator[tuple[str, str]]:
    """Yield the options that may name weights, with their values."""
    if isinstance(part, Config):
        part = part.to_dict()
    if isinstance(part, (list, tuple)):
        part = dict(enumerate(part))
    if not isinstance(part, dict):
        return
    for key, value in part.items():
        name = f'{option}.{key}'.removeprefix('.')
        if isinstance(value, str) and key in _KEYS:
            yield name, value
        else:
            yield from _named(value, name)


def load_from_named(
    filename: str, map_location: str | torch.device | None = None
) -> dict[str, Any]:
    """Loader of weights by name or address for mmengine.

    Args:
        filename: See :func:`address`.
        map_location: See ``torch.load``. Defaults to None.

    Returns:
        The content.

    Raises:
        CheckpointError: If the weights are unknown, or are not there and
            cannot be downloaded.
    """
    url = address(filename)
    if url is None:
        raise CheckpointError(
            f"{filename} is a file of mmengine's folder: give its path."
        )
    path = fetch(url, f'The weights {filename}')
    content = read_checkpoint(path, map_location)
    if filename.startswith('mmcls://'):
        # Only the backbone, without its prefix.
        return mmengine_checkpoint._process_mmcls_checkpoint(content)
    return content


def use_cache_loader() -> None:
    """Let mmengine load weights by name with :func:`load_from_named`."""
    mmengine_checkpoint.CheckpointLoader.register_scheme(
        prefixes=[f'{scheme}://' for scheme in _SCHEMES],
        loader=load_from_named,
        force=True,
    )
