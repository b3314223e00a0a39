"""Writing files so that they are either whole or absent."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TEMPORARY = re.compile(r'(\.[0-9a-f]{16})\.(\d+)\.tmp')


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file so that it is either whole or absent.

    Args:
        path: Target; its folder is made if missing.
        data: Contents.

    Raises:
        OSError: With the name of the target, if it cannot be written.
    """
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write a file under a temporary name of this process, then rename it.

    Args:
        path: Target; its folder is made if missing.

    Yields:
        What to write to. It takes the name of the target at the end, and is
        removed if anything goes wrong.

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
        # A full disk is reported without any name, and the temporary one
        # says nothing to a user.
        if isinstance(error, OSError) and error.errno is not None:
            raise type(error)(
                error.errno, error.strerror, str(path)
            ) from error
        raise


def temporary_name(path: Path, process: int | None = None) -> Path:
    """Return the temporary name of a file that is being written.

    Args:
        path: Target.
        process: Process that writes. Defaults to None, this one.

    Returns:
        In the same folder. A digest stands for the target's name, which may be
        as long as a name can be.
    """
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return path.with_name(f'.{digest}.{process or os.getpid()}.tmp')


def remove_leftovers(targets: Iterable[Path]) -> None:
    """Remove the unfinished files that killed processes have left.

    A process that still runs may be at the same target; its file is kept.

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
    # Elsewhere signal 0 would end it.
    if os.name != 'posix' or process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass  # of another user
    return True
