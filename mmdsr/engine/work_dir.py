"""One training per working directory, and the checkpoint it resumes from.

A training holds a lock on a file in its directory. The system releases the
lock however the process ends, so that a dead process never blocks a directory.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from mmdsr.errors import CheckpointError, UsageError
from mmdsr.io.checkpoint import read_checkpoint

try:
    import fcntl
except ImportError:  # Windows has no such locks.
    fcntl = None  # type: ignore[assignment] # checked before use

#: File with the name of the process that trains here.
LOCK = '.training'
_CHECKPOINTS = ('iter_*.pth', 'epoch_*.pth', 'best_*.pth')
#: Variables in which launchers set the rank of a process.
_RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')


def refuse_used(work_dir: Path | str) -> None:
    """Raise an error if a training has left checkpoints.

    Args:
        work_dir: Working directory.

    Raises:
        UsageError: If there are any.
    """
    found = checkpoints(work_dir)
    if found:
        raise UsageError(
            f'{work_dir} already contains a training run ({found[-1].name}): '
            'resume it with --resume, choose another --work-dir, or remove '
            'the folder.'
        )


def checkpoints(work_dir: Path | str) -> list[Path]:
    """List the checkpoints of a training.

    Args:
        work_dir: Working directory.

    Returns:
        The files, from the oldest to the newest.
    """
    found = [
        file
        for pattern in _CHECKPOINTS
        for file in Path(work_dir).glob(pattern)
        if file.is_file()
    ]
    return sorted(found, key=lambda file: file.stat().st_mtime_ns)


def latest_checkpoint(work_dir: Path | str) -> Path | None:
    """Return the newest complete checkpoint of a working directory.

    Args:
        work_dir: Working directory.

    Returns:
        The file, or None if there is none.

    Raises:
        UsageError: If ``last_checkpoint`` names a file that does not exist.
    """
    note = Path(work_dir, 'last_checkpoint')
    # mmengine writes the name after the file is complete, so that a process
    # killed in between leaves the name of the previous file.
    name = note.read_text(errors='replace').strip() if note.is_file() else ''
    # A process killed while writing the name leaves it empty.
    if not name:
        return _newest_readable(work_dir)
    # The folder may have been moved or copied since: the file in it comes
    # first, as the other may belong to the original.
    for candidate in (Path(work_dir, Path(name).name), Path(name)):
        if candidate.is_file():
            return candidate
    raise UsageError(
        f'{work_dir}/last_checkpoint names {name}, which does not exist: '
        'use --resume PATH.'
    )


def _newest_readable(work_dir: Path | str) -> Path | None:
    for file in reversed(checkpoints(work_dir)):
        # The best one may be old.
        if file.name.startswith('best_'):
            continue
        try:
            read_checkpoint(file)
        except CheckpointError:
            continue
        return file
    return None


@contextmanager
def hold(work_dir: Path | str) -> Iterator[None]:
    """Reserve a working directory for this training.

    In a distributed training, only the first process does so.

    Args:
        work_dir: Working directory, created if it does not exist.

    Raises:
        UsageError: If another training uses it, or it cannot be written.
    """
    rank = next((os.environ[n] for n in _RANKS if n in os.environ), '0')
    unlocked = fcntl is None or rank != '0'
    try:
        Path(work_dir).mkdir(parents=True, exist_ok=True)
        file = None if unlocked else _lock(Path(work_dir, LOCK))
    except OSError as error:
        raise UsageError(
            f'{work_dir} is not writable ({error.strerror}): choose another '
            '--work-dir.'
        ) from error
    if file is None:
        yield
        return
    try:
        yield
    finally:
        # Before the lock is released and another process may take it.
        Path(work_dir, LOCK).unlink(missing_ok=True)
        file.close()


def _lock(path: Path) -> TextIO:
    """Lock a file and write the owner into it."""
    while True:
        file = path.open('a+', encoding='utf-8')
        try:
            # This kind of lock is not inherited by the workers of a data
            # loader, which may outlive a killed training by seconds.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            file.seek(0)
            owner = file.read().strip() or 'unknown'
            file.close()
            raise UsageError(
                f'Another training run ({owner}) is writing to {path.parent}: '
                'wait for it, or choose another --work-dir.'
            ) from error
        # The file may have been removed between opening and locking.
        if path.exists() and os.path.samestat(
            path.stat(), os.fstat(file.fileno())
        ):
            break
        file.close()
    file.truncate(0)
    file.write(f'process {os.getpid()} on {socket.gethostname()}\n')
    file.flush()
    return file
