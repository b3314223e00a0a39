"""Write simulated runs as a data set, in parallel over the runs."""

import json
import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np

from mmdsr.extras import require
from mmdsr.io.checksums import read_checksums
from mmdsr.io.files import write_bytes
from mmdsr.io.manifest import SPLITS, read_manifest
from mmdsr.io.staging import Staging
from mmdsr.sim.data.degrade import Degradation, degrade
from mmdsr.sim.data.export import LAYOUTS, Sample
from mmdsr.sim.data.splits import Plan, RunPlan, plan_custom, stem_of
from mmdsr.sim.pipe_run import PipeRun, SimFrame
from mmdsr.workers import start_worker

Job = tuple[Path, Plan, RunPlan, list[int], Callable[..., PipeRun]]
"""Root, plan, run, missing frames, and the factory of the run."""

_shared: dict[
    str, Any
] = {}  # in a worker: the queue of finished samples, stop flag


def is_complete(out: str | Path, plan: Plan) -> bool:
    """Return whether a folder already holds exactly this complete data set.

    Args:
        out: Root of a data set.
        plan: What it should be.

    Returns:
        True if the manifest has these settings and every file that the
        checksums name is there; their contents are not read.

    Raises:
        ValueError: If the manifest cannot be read.
    """
    manifest = read_manifest(out, formats=None)
    if manifest is None or manifest.get('generator') != plan.settings:
        return False
    try:
        names = read_checksums(out)
    except ValueError:
        return False
    count = sum(map(len, manifest['splits'].values()))
    return count == plan.total and all(
        (Path(out) / name).is_file() for name in names
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

    Sample k of a run is frame k. Its reference is frame k + 1, which sees the
    shared part of the wall from closer.

    Args:
        out: Root of the data set; it appears when everything is written.
        runs: See `mmdsr.sim.data.splits.plan_custom`.
        frames: Samples per run.
        size: Width and height.
        seed: Seed of the whole data set.
        workers: See `write_dataset`.
        test_runs: Number of runs in the test split.
        overwrite: Replace a data set with other settings.
        progress: Called with the number of finished samples and of all.

    Returns:
        False if the data set was there already, True if it was made.
    """
    plan = plan_custom(runs, frames, size, seed, test_runs)
    return write_dataset(out, plan, workers, overwrite, progress)


def write_dataset(
    out: str | Path,
    plan: Plan,
    workers: int = 1,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    camera: Callable[..., PipeRun] = PipeRun,
) -> bool:
    """Make a data set.

    The files do not depend on the number of workers. After an interruption,
    the same call continues where it stopped.

    Args:
        out: Root of the data set; it appears when everything is written.
        plan: What to make, see :mod:`mmdsr.sim.data.splits`.
        workers: Processes; each works on one run at a time.
        overwrite: Replace a data set with other settings, once the new one
            is complete.
        progress: Called with the number of finished samples and of all.
        camera: Factory of a run, such as `PipeRun`; importable by name.

    Returns:
        False if the data set was there already, True if it was made.

    Raises:
        ValueError: If the number of workers is out of range.
        FileExistsError: If ``out`` holds something else.
        RuntimeError: If a worker process was killed.
    """
    if workers < 1:
        raise ValueError(f'workers must be at least 1, not {workers}')
    if is_complete(out, plan):
        return False
    if plan.layout == 'pipe':
        require('coco', 'pycocotools')
    layout = LAYOUTS[plan.layout]
    staging = Staging(out, plan.settings, overwrite, resumable=True)
    done = 0

    def tell(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, plan.total)

    jobs: list[Job] = []
    for run in plan.runs:
        missing = [
            frame
            for frame in run.frames
            if not _record_path(staging.tmp_dir, run, frame).is_file()
        ]
        tell(len(run.frames) - len(missing))
        if missing:
            jobs.append((staging.tmp_dir, plan, run, missing, camera))
    if workers == 1:
        for job in jobs:
            _write_run(*job, lambda: tell(1), lambda: False)
    elif jobs:
        _write_parallel(jobs, min(workers, len(jobs)), tell)

    def records(split: str) -> Iterator[dict[str, Any]]:
        for run in plan.runs:
            if run.split == split:
                for frame in run.frames:
                    path = _record_path(staging.tmp_dir, run, frame)
                    yield json.loads(path.read_text())

    layout.finish(staging.tmp_dir, records)
    stems: dict[str, set[str]] = {split: set() for split in SPLITS}
    for split, stem in plan.samples():
        stems[split].add(stem)
    staging.publish(
        stems,
        lambda path: layout.keep(path, stems),
        layout.scale,
        plan.settings,
        checksums=True,
        format=layout.format,
    )
    return True


def _record_path(root: Path, run: RunPlan, frame: int) -> Path:
    return root / '.work' / f'{stem_of(run.run, frame)}.json'


def _write_run(
    root: Path,
    plan: Plan,
    run: RunPlan,
    frames: Sequence[int],
    camera: Callable[..., PipeRun],
    tell: Callable[[], object],
    stopped: Callable[[], bool],
) -> None:
    """Write samples of one run, holding two frames at a time."""
    layout = LAYOUTS[plan.layout]
    view = camera(
        plan.seed,
        run.run,
        plan.size,
        defects=run.defects,
        overlay=run.overlay,
        steps=plan.steps,
    )
    held: dict[int, SimFrame] = {}
    for number in frames:
        if stopped():
            return
        # The reference of one sample may be the next one's image.
        held = {
            k: held[k] if k in held else view.frame(k)
            for k in (number, number + 1)
        }
        frame, ref = held[number], held[number + 1]
        sample = Sample(
            run.split,
            stem_of(run.run, number),
            frame,
            ref,
            view,
            _degraded(plan, run, number, frame),
        )
        record = layout.write(root, sample)
        # Last: a sample with a record is complete, however the process ends.
        write_bytes(
            _record_path(root, run, number), json.dumps(record).encode()
        )
        tell()


def _degraded(
    plan: Plan, run: RunPlan, number: int, frame: SimFrame
) -> np.ndarray | None:
    """The low-resolution image, or None for the bicubic one."""
    if plan.degradation == 'bicubic':
        return None
    rng = np.random.default_rng([plan.seed, run.run, 60, number])
    return degrade(frame.image, rng, Degradation())


def _write_parallel(
    jobs: Sequence[Job], workers: int, tell: Callable[[int], None]
) -> None:
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
        # A worker may have ended before its last message arrived.
        while True:
            try:
                tell(finished.get(timeout=0.2))
            except queue.Empty:
                break
    except BrokenProcessPool as error:
        raise RuntimeError(
            'a worker process was killed (too little memory?): repeat the '
            'command with fewer workers to resume'
        ) from error
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _start_worker(finished: 'Queue[int]', stop: Event) -> None:
    _shared.update(finished=finished, stop=stop)
    # Ctrl-C reaches the parent, which sets the flag.
    start_worker()


def _work(job: Job) -> None:
    _write_run(
        *job, lambda: _shared['finished'].put(1), _shared['stop'].is_set
    )
