"""The list of the weights in a folder with their checksums.

``index.json`` maps a name to ``file`` (in the same folder), ``sha256`` and
``size`` in bytes. A file that does not match the list is not used.
"""

import json
from pathlib import Path
from typing import Any

from mmdsr.errors import CheckpointError
from mmdsr.io.checksums import digest
from mmdsr.io.files import write_bytes

#: Folder of the weights in the package.
FOLDER = Path(__file__).parent
INDEX = 'index.json'
_KEYS = {'file', 'sha256', 'size'}


def read_index(folder: Path | str = FOLDER) -> dict[str, dict[str, Any]]:
    """Read the list.

    Args:
        folder: Folder of the weights. Defaults to that of the package.

    Returns:
        ``file``, ``sha256`` and ``size`` of each name, sorted by name;
        empty if there is no list.

    Raises:
        CheckpointError: If the list cannot be read.
    """
    path = Path(folder) / INDEX
    if not path.is_file():
        return {}
    try:
        index = json.loads(path.read_text(encoding='utf-8'))
        for entry in index.values():
            if (
                entry.keys() != _KEYS
                or Path(entry['file']).name != entry['file']
                or not isinstance(entry['sha256'], str)
            ):
                raise ValueError(f'invalid entry {entry}')
    except (ValueError, AttributeError, TypeError) as error:
        raise CheckpointError(
            f'{path} cannot be read as a list of weights: {error}'
        ) from error
    return dict(sorted(index.items()))


def available(folder: Path | str = FOLDER) -> list[str]:
    """Return the names of the available weights.

    Args:
        folder: Folder of the weights. Defaults to that of the package.

    Returns:
        Names for :func:`weight_path` and ``load_published``.

    Raises:
        CheckpointError: If the list cannot be read.

    Examples:
        >>> from mmdsr.weights import available
        >>> 'dsrnet_x_nano' in available()
        True
    """
    return list(read_index(folder))


def weight_path(name: str, folder: Path | str = FOLDER) -> Path:
    """Return the file of a name, after checking its SHA-256.

    Args:
        name: One of :func:`available`.
        folder: Folder of the weights. Defaults to that of the package.

    Returns:
        The file.

    Raises:
        CheckpointError: If there are no weights of that name, or the file is
            missing or does not match the list.
    """
    index = read_index(folder)
    if name not in index:
        names = ', '.join(index) or 'none'
        raise CheckpointError(
            f'There are no weights named {name!r}. Available: {names}; '
            'for a file, give its path with its suffix.'
        )
    path = Path(folder) / index[name]['file']
    if not path.is_file():
        raise CheckpointError(
            f'{path}, the weights of {name!r}, is missing: reinstall mmdsr.'
        )
    check_digest(path, index[name]['sha256'])
    return path


def check_digest(path: Path, expected: str) -> None:
    """Compare the SHA-256 of a file with its expected digits.

    Args:
        path: The file.
        expected: Hexadecimal digits, all 64 or the first of them.

    Raises:
        CheckpointError: If they differ.
    """
    found = digest(path)
    if not found.startswith(expected):
        raise CheckpointError(
            f'{path} is damaged or was changed: its SHA-256 starts with '
            f'{found[:8]}, not with {expected[:8]}. Download it again.'
        )


def register(
    folder: Path | str, name: str, file: str, replace: bool = False
) -> None:
    """Add a file to the list, or replace another one.

    Args:
        folder: Folder of the list and of the file.
        name: Name to register.
        file: Name of the file.
        replace: Whether an entry of that name may be replaced; its file is
            removed.

    Raises:
        CheckpointError: If the name is taken, or the list cannot be read.
    """
    folder = Path(folder)
    index = read_index(folder)
    old = index.get(name)
    path = folder / file
    index[name] = dict(
        file=file, sha256=digest(path), size=path.stat().st_size
    )
    if old == index[name]:
        return
    check_free(folder, name, replace)
    text = json.dumps(dict(sorted(index.items())), indent=2)
    write_bytes(folder / INDEX, f'{text}\n'.encode())
    if old and old['file'] != file:
        (folder / old['file']).unlink(missing_ok=True)


def check_free(folder: Path | str, name: str, replace: bool = False) -> None:
    """Raise an error if a name is taken.

    Args:
        folder: Folder of the list.
        name: Name to register.
        replace: Whether the name may be in use.

    Raises:
        CheckpointError: If the name is taken.
    """
    old = read_index(folder).get(name)
    if old and not replace:
        raise CheckpointError(
            f'{folder} already has weights named {name!r} ({old["file"]}): '
            'choose another --name, or --replace them.'
        )
