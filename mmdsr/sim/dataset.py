"""Write simulated runs as a data set, in parallel over the runs."""

import os
import queue
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from pathlib import Path

from mmdsr.converters.layout import (
    RefSRWriter,
    is_written,
    read_manifest,
    write_sample,
)
from mmdsr.sim.pipe_run import PipeRun

SCALE = 4
SIM_VERSION = 1
"""Raised when the same seed gives other frames than before."""

_shared: dict = {}  # in a worker: the queue of finished samples, stop flag


def stem_of(run: int, frame: int) -> str:
    """Sample name of a frame."""
    return f'run{run:04d}_{frame:04d}'


def settings_of(
    runs: int,
    frames: int,
    size: tuple[int, int] = (448, 320),
    seed: int = 0,
    test_runs: int | None = None,
) -> dict:
    """Check the settings of a data set and complete them.

    Args:
        runs: Number of camera runs.
        frames: Samples per run. One frame more is rendered: the reference
            of the last sample.
        size: Width and height of hr and ref in pixels, each a multiple of
            4 and at least 64.
        seed: Seed of the whole data set, non-negative.
        test_runs: How many runs, the last ones, make the test split;
            default an eighth, but at least one of two or more.

    Returns:
        The settings, as kept in the manifest.

    Raises:
        ValueError: If a setting is out of range; the message says how to
            mend it.
    """
    if runs < 1 or frames < 1:
        raise ValueError(
            f'runs and frames must be at least 1, got {runs} and {frames}'
        )
    if seed < 0:
        raise ValueError(f'seed must not be negative, got {seed}')
    if len(size) != 2 or any(side % SCALE or side < 64 for side in size):
        raise ValueError(
            f'width and height must be multiples of {SCALE} and at least '
            f'64, got {tuple(size)}'
        )
    if test_runs is None:
        test_runs = max(1, runs // 8) if runs > 1 else 0
    if not 0 <= test_runs < runs:
        raise ValueError(
            f'test_runs must leave a run to train on: between 0 and '
            f'{runs - 1} of {runs} runs, got {test_runs}'
        )
    return {
        'name': 'sewersim',
        'version': SIM_VERSION,
        'runs': runs,
        'frames': frames,
        'size': [int(side) for side in size],
        'seed': seed,
        'test_runs': test_runs,
    }


def is_complete(out: str | Path, settings: dict) -> bool:
    """Whether a folder already holds exactly this data set, whole.

    Args:
        out: Root of a data set.
        settings: Result of `settings_of`.

    Returns:
        True if the manifest has these settings and every file is there.
    """
    manifest = read_manifest(out)
    if manifest is None or manifest['generator'] != settings:
        return False
    listed = [
        (split, stem)
        for split, stems in manifest['splits'].items()
        for stem in stems
    ]
    return len(listed) == settings['runs'] * settings['frames'] and all(
        is_written(Path(out) / split, stem, depth=True)
        for split, stem in listed
    )


def generate_dataset(
    out: str | Path,
    runs: int,
    frames: int,
    size: tuple[int, int] = (448, 320),
    seed: int = 0,
    workers: int = 1,
    test_runs: int | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> bool:
    """Simulate runs and write them in the sample layout.

    Sample k of a run is frame k with frame k + 1, which is nearer to what
    both show, as its reference. The files do not depend on the number of
    workers. What is finished survives an interruption: the same call goes
    on from there.

    Args:
        out: Root of the data set; appears when all is written.
        runs: See `settings_of`, as for the next four.
        frames: Samples per run.
        size: Width and height.
        seed: Seed of the whole data set.
        workers: Processes; each works on one run at a time.
        test_runs: How many runs make the test split.
        overwrite: Replace a data set with other settings, once the new one
            is complete.
        progress: Called with the number of finished samples and of all.

    Returns:
        False if the data set was there already, True if it was made.

    Raises:
        ValueError: If a setting is out of range.
        FileExistsError: If ``out`` holds something else.
        RuntimeError: If a worker process was killed.
    """
    settings = settings_of(runs, frames, size, seed, test_runs)
    if workers < 1:
        raise ValueError(f'workers must be at least 1, got {workers}')
    if is_complete(out, settings):
        return False
    total = runs * frames
    first_test = runs - settings['test_runs']
    done = 0

    def tell(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    writer = RefSRWriter(
        out,
        scale=SCALE,
        generator=settings,
        overwrite=overwrite,
        resumable=True,
    )
    with writer:
        jobs = []
        for run in range(runs):
            split = 'train' if run < first_test else 'test'
            missing = [
                frame
                for frame in range(frames)
                if not writer.is_written(split, stem_of(run, frame), True)
            ]
            tell(frames - len(missing))
            if missing:
                folder = str(writer.split_dir(split))
                jobs.append((folder, seed, run, tuple(size), missing))
        if workers == 1:
            for job in jobs:
                _write_run(*job, lambda: tell(1), lambda: False)
        elif jobs:
            _write_parallel(jobs, min(workers, len(jobs)), tell)
        for run in range(runs):
            split = 'train' if run < first_test else 'test'
            for frame in range(frames):
                writer.register(split, stem_of(run, frame))
    return True


def _write_run(folder, seed, run, size, frames, tell, stopped):
    """Write samples of one run, holding two frames at a time."""
    camera = PipeRun(seed, run, size)
    held = {}
    for frame in frames:
        if stopped():
            return
        # The reference of one sample is the next one's hr.
        held = {
            k: held[k] if k in held else camera.frame(k)
            for k in (frame, frame + 1)
        }
        hr, ref = held[frame], held[frame + 1]
        write_sample(
            folder,
            stem_of(run, frame),
            hr.image,
            ref.image,
            hr.depth,
            ref.depth,
            SCALE,
        )
        tell()


def _write_parallel(jobs, workers, tell):
    context = get_context('spawn')
    finished, stop = context.Queue(), context.Event()
    pool = ProcessPoolExecutor(
        workers, context, _start_worker, (finished, stop)
    )
    try:
        pending = [pool.submit(_work, job) for job in jobs]
        while pending:
            try:
                tell(finished.get(timeout=0.2))
            except queue.Empty:
                for future in [f for f in pending if f.done()]:
                    pending.remove(future)
                    future.result()
        # A worker may have ended before its last word arrived.
        while True:
            try:
                tell(finished.get(timeout=0.2))
            except queue.Empty:
                break
    except BrokenProcessPool as error:
        raise RuntimeError(
            'a worker process was killed (too little memory?); the same '
            'call goes on from here, try fewer workers'
        ) from error
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _start_worker(finished, stop):
    # Ctrl-C reaches the parent, which sets the flag.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _shared.update(finished=finished, stop=stop)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent():
    """End with the parent, even if it was killed."""
    parent_process().join()
    os._exit(1)


def _work(job):
    _write_run(
        *job, lambda: _shared['finished'].put(1), _shared['stop'].is_set
    )
