"""A run in a separate process, here or as a job elsewhere."""

import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

#: Module that is run as ``python -m WORKER FOLDER PARENT``.
WORKER = 'mmdsr.experiments.worker'


class Process(Protocol):
    """Common interface of :class:`subprocess.Popen` and jobs."""

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""

    def terminate(self) -> None:
        """Terminate the process."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the process to end; return its exit code."""

    def kill(self) -> None:
        """Kill the process."""


def start(folder: Path, threads: int) -> subprocess.Popen[bytes]:
    """Start the process of a run.

    Args:
        folder: Folder of the run.
        threads: Number of CPU threads that it may use.

    Returns:
        The process; its output goes to ``log.txt``.
    """
    names = ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'NUMBA_NUM_THREADS')
    with (folder / 'log.txt').open('ab') as log:
        return subprocess.Popen(
            [sys.executable, '-m', WORKER, str(folder), str(os.getpid())],
            env={**os.environ, **dict.fromkeys(names, str(threads))},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def end(processes: Collection[Process]) -> None:
    """Terminate processes; kill them if they take longer than ten seconds."""
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
