"""The list of the weights in a folder, with their checksums.

``index.json`` maps a name to ``file`` (in the same folder), ``sha256`` and
``size`` in bytes. A file that is not what the list says is not used.
"""

import json
from pathlib import Path

from mmdsr.errors import CheckpointError
from mmdsr.io.checksums import digest
from mmdsr.io.files import write_bytes

#: What comes with the package.
FOLDER = Path(__file__).parent
INDEX = 'index.json'
_KEYS = {'file', 'sha256', 'size'}


def read_index(folder=FOLDER):
    """Read the list.

    Args:
        folder (str or Path): Folder of the weights. Defaults to that of the
            package.

    Returns:
        dict[str, dict]: ``file``, ``sha256`` and ``size`` per name, in the
        order of names; empty if there is no list.

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
                raise ValueError(f'wrong entry {entry}')
    except (ValueError, AttributeError, TypeError) as error:
        raise CheckpointError(
            f'{path} cannot be read as a list of weights: {error}'
        ) from error
    return dict(sorted(index.items()))


def available(folder=FOLDER):
    """Return the names of the weights that are there.

    Args:
        folder (str or Path): Folder of the weights. Defaults to that of the
            package.

    Returns:
        list[str]: Names for :func:`weight_path` and ``load_published``.

    Raises:
        CheckpointError: If the list cannot be read.
    """
    return list(read_index(folder))


def weight_path(name, folder=FOLDER):
    """Return the file of a name, after a check of its SHA-256.

    Args:
        name (str): One of :func:`available`.
        folder (str or Path): Folder of the weights. Defaults to that of the
            package.

    Returns:
        Path: The file.

    Raises:
        CheckpointError: If there are no weights of that name, or the file is
            missing or not the one that the list means.
    """
    index = read_index(folder)
    if name not in index:
        names = ', '.join(index) or 'none'
        raise CheckpointError(
            f'There are no weights named {name!r} in {folder}. '
            f'Available: {names}.'
        )
    path = Path(folder) / index[name]['file']
    if not path.is_file():
        raise CheckpointError(
            f'{path}, the weights of {name!r}, is missing: install mmdsr '
            'again.'
        )
    check_digest(path, index[name]['sha256'])
    return path


def check_digest(path, expected):
    """Compare the SHA-256 of a file, or its first digits.

    Args:
        path (Path): The file.
        expected (str): Hexadecimal digits, all 64 or the first of them.

    Raises:
        CheckpointError: If they differ.
    """
    found = digest(path)
    if not found.startswith(expected):
        raise CheckpointError(
            f'{path} is damaged or was changed: its SHA-256 starts with '
            f'{found[:8]}, not with {expected[:8]}. Get it again.'
        )


def register(folder, name, file, replace=False):
    """Put a file on the list, or in the place of another one.

    Args:
        folder (str or Path): Folder of the list and of the file.
        name (str): Name to register.
        file (str): Name of the file.
        replace (bool): Whether an entry of that name may be replaced; its
            file is removed. Defaults to False.

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


def check_free(folder, name, replace=False):
    """Refuse a name that is taken.

    Args:
        folder (str or Path): Folder of the list.
        name (str): Name to register.
        replace (bool): Whether it may be taken. Defaults to False.

    Raises:
        CheckpointError: If the name is taken.
    """
    old = read_index(folder).get(name)
    if old and not replace:
        raise CheckpointError(
            f'{folder} has weights named {name!r} already ({old["file"]}): '
            'choose another --name, or --replace them.'
        )
