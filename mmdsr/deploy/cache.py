"""Cache of converted models, so that each is converted only once."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from mmdsr.io.files import whole_file

#: Names the folder, for systems where the usual one cannot be written.
VARIABLE = 'MMDSR_CACHE'


def cache_folder() -> Path:
    """Return the user's folder for files that can be recreated.

    It is ``MMDSR_CACHE`` if that is set, otherwise ``mmdsr`` in the cache
    folder of the system. It need not exist.
    """
    if named := os.environ.get(VARIABLE):
        return Path(named).expanduser()
    if sys.platform == 'win32':
        base = os.environ.get('LOCALAPPDATA') or '~/AppData/Local'
    elif sys.platform == 'darwin':
        base = '~/Library/Caches'
    else:
        base = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    return Path(base).expanduser() / 'mmdsr'


def cached(name: str, make: Callable[[], bytes]) -> Path:
    """Return a file of the cache; create it if it does not exist.

    It is written under a temporary name first, so that several processes can
    do so at the same time, and an interrupted one leaves no incomplete file.

    Args:
        name: Name of the file, which identifies everything that it depends on.
        make: Function that returns its content.

    Returns:
        The file.

    Raises:
        OSError: If it cannot be written; the message names the variable.
    """
    path = cache_folder() / name
    if path.is_file():
        return path
    content = make()
    try:
        with whole_file(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise OSError(
            f'The converted model cannot be kept in {path.parent} '
            f'({error.strerror}): set {VARIABLE} to a writable folder, or use '
            "backend='torch'."
        ) from error
    return path
