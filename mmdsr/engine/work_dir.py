"""One training per working directory, and which checkpoint it goes on with.

A training holds a lock on a file of its directory. The system gives the lock
back when the process ends in whatever way, so that a dead one holds none.
"""

import os
import socket
from contextlib import contextmanager
from pathlib import Path

from mmdsr.errors import CheckpointError, UsageError
from mmdsr.io.checkpoint import read_checkpoint

try:
    import fcntl
except ImportError:  # Windows has no such locks.
    fcntl = None

#: Who trains here.
LOCK = '.training'
_CHECKPOINTS = ('iter_*.pth', 'epoch_*.pth', 'best_*.pth')
#: Where launchers say which process of a training this is.
_RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')


def refuse_used(work_dir):
    """Refuse to start anew where a training has left checkpoints.

    Args:
        work_dir (str or Path): Working directory.

    Raises:
        UsageError: If there are any.
    """
    found = checkpoints(work_dir)
    if found:
        raise UsageError(
            f'{work_dir} holds a training already ({found[-1].name}): '
            'continue it with --resume, choose another --work-dir, or remove '
            'the folder.'
        )


def checkpoints(work_dir):
    """List the checkpoints of a training.

    Args:
        work_dir (str or Path): Working directory.

    Returns:
        list[Path]: From the oldest to the newest.
    """
    found = [
        file
        for pattern in _CHECKPOINTS
        for file in Path(work_dir).glob(pattern)
        if file.is_file()
    ]
    return sorted(found, key=lambda file: file.stat().st_mtime_ns)


def latest_checkpoint(work_dir):
    """Return the newest complete checkpoint of a working directory.

    Args:
        work_dir (str or Path): Working directory.

    Returns:
        Path or None: The file, None if there is none.

    Raises:
        UsageError: If ``last_checkpoint`` names a file that is not there.
    """
    note = Path(work_dir, 'last_checkpoint')
    # mmengine notes the name after the file is complete, so that a kill
    # while it is written leaves the name of the one before.
    name = note.read_text(errors='replace').strip() if note.is_file() else ''
    # A kill while the name is written leaves nothing.
    if not name:
        return _newest_readable(work_dir)
    # The folder may have been moved since.
    for candidate in (Path(name), Path(work_dir, Path(name).name)):
        if candidate.is_file():
            return candidate
    raise UsageError(
        f'{work_dir}/last_checkpoint names {name}, which does not exist: '
        'use --resume PATH.'
    )


def _newest_readable(work_dir):
    for file in reversed(checkpoints(work_dir)):
        # The best one may be an old one.
        if file.name.startswith('best_'):
            continue
        try:
            read_checkpoint(file)
        except CheckpointError:
            continue
        return file
    return None


@contextmanager
def hold(work_dir):
    """Keep other trainings out of a working directory.

    Of a distributed training only the first process does.

    Args:
        work_dir (str or Path): Working directory, made if there is none.

    Raises:
        UsageError: If another training has it, or it cannot be written.
    """
    rank = next((os.environ[n] for n in _RANKS if n in os.environ), '0')
    try:
        Path(work_dir).mkdir(parents=True, exist_ok=True)
        if fcntl is None or rank != '0':
            yield
            return
        file = _lock(Path(work_dir, LOCK))
    except OSError as error:
        raise UsageError(
            f'{work_dir} cannot be written ({error.strerror}): choose '
            'another --work-dir.'
        ) from error
    try:
        yield
    finally:
        # Before the lock is given back: nobody else has it.
        Path(work_dir, LOCK).unlink(missing_ok=True)
        file.close()


def _lock(path):
    """Lock a file and note in it who does."""
    while True:
        file = path.open('a+', encoding='utf-8')
        try:
            # Of this kind, which the workers of a data loader do not
            # inherit: they may outlive a killed training for seconds.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            file.seek(0)
            owner = file.read().strip() or 'unknown'
            file.close()
            raise UsageError(
                f'Another training ({owner}) writes to {path.parent}: wait '
                'for it, or choose another --work-dir.'
            ) from error
        # It may have been removed between opening and locking.
        if path.exists() and os.path.samestat(
            path.stat(), os.fstat(file.fileno())
        ):
            break
        file.close()
    file.truncate(0)
    file.write(f'process {os.getpid()} on {socket.gethostname()}\n')
    file.flush()
    return file
