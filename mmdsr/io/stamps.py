"""What identifies the content of a file, and whether it is still the same."""

import stat
from pathlib import Path
from typing import NamedTuple

from mmdsr.io.checksums import digest
from mmdsr.io.frames import real_path


class Stamp(NamedTuple):
    """What identifies the content of a file.

    Args:
        path: Where it was; '' for a result.
        size: Bytes.
        mtime_ns: When it was last written, in nanoseconds.
        sha256: Digest of the content.
    """

    path: str
    size: int
    mtime_ns: int
    sha256: str


def stamp(path: Path, shown: str | None = None) -> Stamp:
    """Determine what identifies the content of a file.

    Args:
        path: The file.
        shown: What to record as its path. Defaults to None: its real path.

    Returns:
        The stamp.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is not a regular file.
    """
    # First, so that a file that changes in the meantime does not match later.
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        # A pipe would be waited for.
        raise ValueError('not a regular file')
    return Stamp(
        str(real_path(path)) if shown is None else shown,
        status.st_size,
        status.st_mtime_ns,
        digest(path),
    )


def is_same(path: Path, stamp: Stamp) -> bool:
    """Return whether a file is still what it was.

    Args:
        path: The file.
        stamp: Its stamp at that time.

    Returns:
        Whether size and time, or the content, are the same.
    """
    try:
        # Neither a link nor a folder was written here.
        if not path.is_file() or (not stamp.path and path.is_symlink()):
            return False
        status = path.stat()
        if status.st_size != stamp.size:
            return False
        # Another file, even a copy with the same time, must have the content.
        at_home = not stamp.path or str(real_path(path)) == stamp.path
        if at_home and status.st_mtime_ns == stamp.mtime_ns:
            return True
        return digest(path) == stamp.sha256
    except OSError:
        return False
