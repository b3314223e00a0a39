"""Write files so that they are either complete or absent."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TEMPORARY = re.compile(r'(\.[0-9a-f]{16})\.(\d+)\.tmp')


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file so that it is either complete or absent.

    Args:
        path: Target; its folder is created if missing.
        data: Contents.

    Raises:
        OSError: If it cannot be written; the message names the target.
    """
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write a file under a temporary name of this process, then rename it.

    Args:
        path: Target; its folder is made if missing.

    Yields:
        The path to write to. It is renamed to the target at the end, and
        removed if an error occurs.

    Raises:
        OSError: With the name of the target, if it cannot be written.
    """
    temporary = temporary_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        # The error of a full disk has no name, and the temporary name would be
        # meaningless to a user.
        if isinstance(error, OSError) and error.errno is not None:
            raise type(error)(
                error.errno, error.strerror, str(path)
            ) from error
        raise


def temporary_name(path: Path, process: int | None = None) -> Path:
    """Return the temporary name of a file that is being written.

    Args:
        path: Target.
        process: Writing process. Defaults to None, this process.

    Returns:
        A path in the same folder. It contains a digest of the name of the
        target, which may already have the maximum length.
    """
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return path.with_name(f'.{digest}.{process or os.getpid()}.tmp')


def remove_leftovers(targets: Iterable[Path]) -> None:
    """Remove the unfinished files of killed processes.

    A running process may be writing to the same target; its file is kept.

    Args:
        targets: The files.
    """
    prefixes: dict[Path, set[str]] = {}
    for target in targets:
        prefix = temporary_name(target).name.rsplit('.', 2)[0]
        prefixes.setdefault(target.parent, set()).add(prefix)
    for folder, wanted in prefixes.items():
        for path in folder.iterdir() if folder.is_dir() else ():
            found = _TEMPORARY.fullmatch(path.name)
            if (
                found
                and found[1] in wanted
                and not _another_runs(int(found[2]))
            ):
                path.unlink(missing_ok=True)


def _another_runs(process: int) -> bool:
    """Return whether another process with this number is running."""
    # On other systems, signal 0 would end it.
    if os.name != 'posix' or process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass  # a process of another user
    return True
