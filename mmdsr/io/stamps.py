"""Identify the content of a file, and check if it is still the same."""

import stat
from pathlib import Path
from typing import NamedTuple

from mmdsr.io.checksums import digest
from mmdsr.io.frames import real_path


class Stamp(NamedTuple):
    """Identification of the content of a file.

    Args:
        path: Path of the file; '' for a result.
        size: Size in bytes.
        mtime_ns: Time of the last change in nanoseconds.
        sha256: SHA-256 of the content.
    """

    path: str
    size: int
    mtime_ns: int
    sha256: str


def stamp(path: Path, shown: str | None = None) -> Stamp:
    """Return the stamp of a file.

    Args:
        path: The file.
        shown: Path to record. Defaults to None, its real path.

    Returns:
        The stamp.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is not a regular file.
    """
    # Read this first, so that a file that changes in the meantime does not
    # match later.
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        # Opening a pipe would wait.
        raise ValueError('not a regular file')
    return Stamp(
        str(real_path(path)) if shown is None else shown,
        status.st_size,
        status.st_mtime_ns,
        digest(path),
    )


def is_same(path: Path, stamp: Stamp) -> bool:
    """Return whether a file still matches a stamp.

    Args:
        path: The file.
        stamp: Its stamp at that time.

    Returns:
        Whether size and time, or the content, are the same.
    """
    try:
        # Links and folders are never stamped.
        if not path.is_file() or (not stamp.path and path.is_symlink()):
            return False
        status = path.stat()
        if status.st_size != stamp.size:
            return False
        # A different time, or another file, requires a comparison of the
        # content.
        at_home = not stamp.path or str(real_path(path)) == stamp.path
        if at_home and status.st_mtime_ns == stamp.mtime_ns:
            return True
        return digest(path) == stamp.sha256
    except OSError:
        return False
