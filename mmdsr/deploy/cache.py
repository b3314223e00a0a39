"""Cache of converted models, so that each is converted only once."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from mmdsr.io.files import whole_file

#: Names the folder, for systems where the usual one cannot be written.
VARIABLE = 'MMDSR_CACHE'


def cache_folder() -> Path:
    """Return the user's folder for what can be made again.

    It is what ``MMDSR_CACHE`` names, or ``mmdsr`` where the system has its
    caches. It need not exist.
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
    """Return a file of the cache; make it if it is not there.

    It is written under another name first, so that several processes may do
    so at once, and an interrupted one leaves nothing that looks whole.

    Args:
        name: Name of the file, which says all that it depends on.
        make: Gives what it is to hold.

    Returns:
        The file.

    Raises:
        OSError: If it cannot be written; names the variable that helps.
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
