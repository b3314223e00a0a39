"""Try mutated inputs in a child process and count the outcomes.

An input is read, or refused in one line that names the file. Anything else is
a fault: another error (``raw``), the end of the process by a signal, for
memory or after a minute (``killed``), or files left behind by a call that
failed (``half``). An input follows from its kind and seed alone.
"""

import contextlib
import json
import multiprocessing
import os
import resource
import shutil
import signal
import tempfile
import warnings
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np

from mmdsr.dev.case import NAME, Case
from mmdsr.dev.kinds import KINDS
from mmdsr.io.files import write_bytes

OUTCOMES = ('read', 'refused', 'raw', 'killed', 'half')
FAULTS = OUTCOMES[2:]
#: Seconds after which an input counts as killed.
LIMIT = 60
#: Memory that an input may use in addition to that of the process.
MEMORY = 3 * 2**30
#: Maximum length of a valid message.
_LONG = 1500


@cache
def cases(kind: str) -> list[Case]:
    """Return the valid files of a kind.

    Args:
        kind: A kind of :data:`mmdsr.dev.kinds.KINDS`.

    Returns:
        The files and their readers.
    """
    return KINDS[kind]()


def make(kind: str, seed: int, folder: Path) -> tuple[Case, Path]:
    """Write the input of a seed.

    Args:
        kind: Its kind.
        seed: Its seed, >= 0.
        folder: Target folder.

    Returns:
        The valid file and the path of the input.
    """
    rng = np.random.default_rng([zlib.crc32(kind.encode()), seed])
    known = cases(kind)
    case = known[rng.integers(len(known))]
    mutator = case.mutators[rng.integers(len(case.mutators))]
    path = folder / case.name
    path.write_bytes(mutator(case.data, rng))
    return case, path


def attempt(kind: str, seed: int, folder: Path) -> tuple[str, str]:
    """Read the input of a seed in this process.

    Args:
        kind: Its kind.
        seed: Its seed.
        folder: An empty folder to work in.

    Returns:
        One of :data:`OUTCOMES`, and the message.
    """
    case, path = make(kind, seed, folder)
    outcome, text = _read(case, path, folder)
    # The name of the folder varies.
    return outcome, text.replace(str(folder), '.')


def _read(case: Case, path: Path, folder: Path) -> tuple[str, str]:
    # The only other file is the input.
    out = folder / 'made' / 'out'
    out.parent.mkdir()
    try:
        case.read(path, out)
    except (ValueError, OSError) as error:
        text = str(error)
        left = sorted(file.name for file in out.parent.iterdir())
        if left:
            return 'half', f'{", ".join(left)} left after: {text[:_LONG]}'
        named = NAME in text or case.name in text
        if '\n' in text or len(text) > _LONG or not named:
            return 'raw', f'{type(error).__name__}: {text[:_LONG]}'
        return 'refused', text
    # Any other error is a fault.
    except Exception as error:
        return 'raw', f'{type(error).__name__}: {str(error)[:_LONG]}'
    hidden = [file.name for file in out.parent.glob('.*')]
    return ('half', f'{hidden} left') if hidden else ('read', '')


def _work(pipe: Connection, memory: int) -> None:
    """Read requested inputs; the main function of the child."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # C libraries write to the console.
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    warnings.simplefilter('ignore')
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ready = set()
    with contextlib.suppress(EOFError):
        while True:
            kind, seed, folder = pipe.recv()
            if kind not in ready:
                # Imports of the kind are not counted.
                attempt_first(kind)
                ready.add(kind)
                _limit_memory(memory)
            pipe.send(attempt(kind, seed, Path(folder)))


def attempt_first(kind: str) -> None:
    """Import the modules that a kind needs by reading its unchanged files.

    Args:
        kind: The kind.

    Raises:
        Exception: If a valid file cannot be read, so that no input can be
            judged.
    """
    for case in cases(kind):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, case.name)
            path.write_bytes(case.data)
            (path.parent / 'made').mkdir()
            case.read(path, path.parent / 'made' / 'out')


def _limit_memory(more: int) -> None:
    """Limit the further memory of this process."""
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    size = pages * resource.getpagesize() + more
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (size, hard))


class Child:
    """A process that reads inputs, and is restarted when it dies.

    Args:
        memory: See :data:`MEMORY`.
        limit: See :data:`LIMIT`.
    """

    def __init__(self, memory: int = MEMORY, limit: float = LIMIT) -> None:
        self.memory, self.limit = memory, limit
        self._child: tuple[BaseProcess, Connection] | None = None

    def run(self, kind: str, seed: int, folder: Path) -> tuple[str, str]:
        """Read an input.

        Args:
            kind: Its kind.
            seed: Its seed.
            folder: An empty folder to work in.

        Returns:
            See :func:`attempt`.
        """
        new = self._child is None
        process, pipe = self._child = self._child or self._start()
        pipe.send((kind, seed, str(folder)))
        try:
            # The first input also waits for the imports.
            if pipe.poll(self.limit + 120 * new):
                return pipe.recv()
            text = f'no end after {self.limit} s'
        except (EOFError, ConnectionResetError):
            process.join(10)
            text = f'exit code {process.exitcode}'
        self.stop()
        return 'killed', text

    def stop(self) -> None:
        """End the process."""
        if self._child is not None:
            process, pipe = self._child
            process.kill()
            process.join()
            pipe.close()
        self._child = None

    def _start(self) -> tuple[BaseProcess, Connection]:
        # A fork would copy this process without its threads.
        context = multiprocessing.get_context('spawn')
        pipe, end = context.Pipe()
        process = context.Process(
            target=_work, args=(end, self.memory), daemon=True
        )
        process.start()
        end.close()
        return process, pipe


def fuzz(
    kinds: Sequence[str],
    count: int,
    out: Path | None = None,
    keep: Path | None = None,
    progress: Callable[..., Any] | None = None,
) -> dict[str, dict[str, Any]]:
    """Try inputs of some kinds.

    Args:
        kinds: Kinds of :data:`mmdsr.dev.kinds.KINDS`.
        count: Inputs of each kind, with the seeds from 0.
        out: JSON file of the result, written every 20 inputs; a run that was
            stopped continues from it.
        keep: Folder for the inputs that are faults.
        progress: Called with the kind and its counts after each input.

    Returns:
        Per kind ``tried``, the :data:`OUTCOMES` and ``faults``, each with
        ``seed``, ``outcome`` and ``text``.
    """
    result = {}
    if out is not None and out.is_file():
        result = json.loads(out.read_text(encoding='utf-8'))
    child = Child()
    try:
        for kind in kinds:
            counts = result.setdefault(
                kind, dict(tried=0, **dict.fromkeys(OUTCOMES, 0), faults=[])
            )
            while counts['tried'] < count:
                seed = counts['tried']
                with tempfile.TemporaryDirectory() as folder:
                    outcome, text = child.run(kind, seed, Path(folder))
                counts['tried'] += 1
                counts[outcome] += 1
                if outcome in FAULTS:
                    counts['faults'].append(
                        dict(seed=seed, outcome=outcome, text=text)
                    )
                    if keep is not None:
                        place = keep / f'{kind}_{seed}'
                        shutil.rmtree(place, ignore_errors=True)
                        place.mkdir(parents=True)
                        make(kind, seed, place)
                if progress is not None:
                    progress(kind, counts)
                if out is not None and counts['tried'] % 20 == 0:
                    _write(out, result)
    finally:
        child.stop()
        if out is not None:
            _write(out, result)
    return result


def _write(out: Path, result: dict[str, Any]) -> None:
    text = json.dumps(result, indent=1)
    write_bytes(out, f'{text}\n'.encode('utf-8', 'replace'))
