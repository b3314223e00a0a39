"""Rows x seeds: trainings in separate processes, several at a time.

An experiment compares many training runs. Each run has a folder with its
``config.py`` and ``task.json``; a process (:mod:`mmdsr.experiments.worker`)
trains and tests in it and writes ``result.json``. An experiment that is
stopped at any point continues at its next start.
"""

import ast
import json
import re
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.config import Config
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from mmdsr.errors import UsageError
from mmdsr.experiments.options import RunOptions
from mmdsr.experiments.processes import Process, end, start
from mmdsr.extras import require
from mmdsr.inference.budget import cpu_count
from mmdsr.io.checkpoint import find_checkpoint
from mmdsr.io.checksums import digest
from mmdsr.io.files import write_bytes
from mmdsr.io.reports import write_json

#: Folder of the tests below that of a run.
TESTS = 'tests'
_ITERATION = re.compile(rb'\(train\)\s+(?:\[\s*(\d+)\])?\[\s*(\d+)/\s*(\d+)\]')


@dataclass
class TrainingRun:
    """One training with its tests.

    Args:
        kind: One of :data:`mmdsr.experiments.worker.EVALUATORS`.
        row: What is compared, a line or column of the table.
        seed: The seed.
        title: Name in messages.
        folder: Its folder.
        tests: Arguments of the evaluator by name of the test.
        data: What the training data are, JSON, if they can change under their
            path.
        annotation: The same of their annotation files.
        tested: The same of the data of each test, by its name.
        iters: Iterations, 0 if the schedule counts epochs.
        epochs: Epochs, 0 if the schedule counts iterations.
        results: Results by name of the test, once all tests are finished.
        error: Why it failed.
    """

    kind: str
    row: str
    seed: int
    title: str
    folder: Path
    tests: dict = field(default_factory=dict)
    data: object = None
    annotation: object = None
    tested: dict = field(default_factory=dict)
    iters: int = 0
    epochs: int = 0
    results: dict | None = None
    error: str = ''

    @property
    def task(self) -> dict[str, Any]:
        """Content of ``task.json``."""
        task = dict(kind=self.kind, tests=self.tests)
        return dict(task, tested=self.tested) if self.tested else task


def prepare_runs(
    rows: Sequence[Any], seeds: Sequence[int], make: Callable[..., Any]
) -> list[TrainingRun]:
    """Create the folders of all runs, rows x seeds; load finished results.

    Args:
        rows: What is compared.
        seeds: Seeds of every row.
        make: Function that returns the :class:`TrainingRun` and the ``Config``
            of a row and a seed.

    Returns:
        The runs, seed by seed, so that an experiment that is stopped early has
        results to compare.

    Raises:
        UsageError: If a folder contains a run of another config, teacher or
            data; nothing is written in that case.
    """
    runs, texts = [], []
    for seed in seeds:
        for row in rows:
            run, cfg = make(row, seed)
            run.iters = cfg.train_cfg.get('max_iters') or 0
            run.epochs = cfg.train_cfg.get('max_epochs') or 0
            runs.append(run)
            texts.append(cfg.pretty_text)
            check_inputs(run.folder, 'teacher', teacher_of(cfg))
            check_inputs(run.folder, 'data', run.data)
            check_inputs(run.folder, 'annotation', run.annotation)
    _write_configs(runs, texts)
    for run in runs:
        for name, value in (
            ('data', run.data),
            ('annotation', run.annotation),
        ):
            if value is not None:
                note_inputs(run.folder, name, value)
        write_json(run.folder / 'task.json', run.task)
        # Trained, but tested on something else: the worker tests again.
        run.results = _results(run.folder)
    return runs


def _results(folder: Path) -> dict | None:
    """Return the results of a run, None if they are those of another task."""
    result = _read(folder / 'result.json')
    task = _read(folder / 'task.json')
    return result['results'] if result.get('task') == task else None


def teacher_of(cfg: Config) -> str | None:
    """Return what identifies the teacher of a run.

    Args:
        cfg: Config of the run.

    Returns:
        Digest of its checkpoint; None without a teacher, or while there is no
        checkpoint.
    """
    teacher = (cfg.get('model') or {}).get('teacher_checkpoint')
    if not teacher:
        return None
    try:
        return digest(find_checkpoint(teacher))
    except FileNotFoundError:
        return None


def check_inputs(folder: Path, name: str, value: object) -> None:
    """Refuse a run that was started with something else.

    Args:
        folder: Folder of the run.
        name: ``'teacher'``, ``'data'`` or ``'annotation'``.
        value: What it is now, JSON; None if that is not known.

    Raises:
        UsageError: If the run was started with another one.
    """
    noted = _read(folder / 'inputs.json').get(name)
    if value is not None and noted not in (None, value):
        raise UsageError(
            f'{folder} contains a run with another {name}, which has changed '
            'since: choose another --out, or remove that folder.'
        )


def note_inputs(folder: Path, name: str, value: object) -> None:
    """Note what a run is started with, for :func:`check_inputs`.

    Args:
        folder: Folder of the run.
        name: ``'teacher'``, ``'data'`` or ``'annotation'``.
        value: What it is, JSON.
    """
    path = folder / 'inputs.json'
    write_json(path, {**_read(path), name: value})


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    return json.loads(path.read_text(encoding='utf-8'))


def place_of(folder: Path, name: str) -> Path:
    """Return the folder of a test.

    Args:
        folder: Folder of the run.
        name: Name of the test, possibly a path.

    Returns:
        A folder below that of the run.
    """
    return folder / TESTS / (re.sub(r'[^\w.-]+', '-', name).strip('-.') or '_')


def _write_configs(runs: Sequence[TrainingRun], texts: Sequence[str]) -> None:
    for run, text in zip(runs, texts, strict=True):
        config = run.folder / 'config.py'
        if config.is_file() and not _same(config, text):
            raise UsageError(
                f'{run.folder} contains a run with another config or budget: '
                'choose another --out, or remove that folder.'
            )
    for run, text in zip(runs, texts, strict=True):
        write_bytes(run.folder / 'config.py', text.encode())


def _same(config: Path, text: str) -> bool:
    """Compare code, not its line breaks, which change with yapf's version."""
    found = config.read_text(encoding='utf-8')
    try:
        return ast.dump(ast.parse(found)) == ast.dump(ast.parse(text))
    except (SyntaxError, ValueError):
        return False


def finish(run: TrainingRun, code: int) -> None:
    """Load the result of a process that has ended.

    Args:
        run: The run, changed in place. It has neither results nor an error
            afterwards if the process did another task: a job of an earlier
            start that had other tests.
        code: Exit code.
    """
    log = run.folder / 'log.txt'
    if code == 0 and (run.folder / 'result.json').is_file():
        run.results = _results(run.folder)
        return
    lines = log.read_text(encoding='utf-8', errors='replace').split('\n')
    last = next((line for line in lines[::-1] if line.strip()), '')
    run.error = f'exit code {code}: {last.strip()[:300]} (see {log})'


def iteration(run: TrainingRun) -> tuple[int, int]:
    """Return the progress of a run from its log.

    Args:
        run: The run.

    Returns:
        Last logged iteration and total number of iterations (over all epochs
        if ``run.epochs`` is set); zeros before the first one is logged.
    """
    log = run.folder / 'log.txt'
    if not log.is_file():
        return 0, 0
    with log.open('rb') as file:
        file.seek(max(log.stat().st_size - 8192, 0))
        found = _ITERATION.findall(file.read())
    if not found:
        return 0, 0
    epoch, done, of = (int(part or 0) for part in found[-1])
    if run.epochs and epoch:
        return (epoch - 1) * of + done, run.epochs * of
    return done, of


def _launcher(options: RunOptions, threads: int) -> Callable[[Path], Process]:
    """Return a function that starts the run of a folder, here or in Slurm."""
    if not options.slurm:
        return partial(start, threads=threads)
    require('slurm', 'submitit')
    from mmdsr.experiments.slurm import Submitter

    return Submitter(options.slurm).start


def run_all(
    runs: list[TrainingRun],
    options: RunOptions,
    console: Console,
    report: Callable[[TrainingRun], str],
    poll: float = 0.5,
) -> None:
    """Execute the unfinished runs, several processes at a time.

    Args:
        runs: The runs, changed in place.
        options: Number of processes at a time, which share the CPU cores.
        console: Console for the progress.
        report: Function that summarizes the results of a run in one line.
        poll: Seconds between two checks.

    Raises:
        KeyboardInterrupt: After the processes were terminated.
        UsageError: If Slurm cannot be used.
        MissingExtraError: Without submitit.
    """
    waiting = [run for run in runs if run.results is None]
    total = len(waiting)
    if len(runs) > total:
        console.print(f'{len(runs) - total} of {len(runs)} runs are done.')
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    active: dict[Process, tuple[TrainingRun, TaskID]] = {}
    # The same for each run, however many are left: another number of threads
    # changes a training like another seed.
    launch = _launcher(options, max(1, cpu_count() // options.jobs))
    held = False  # until a job ends, as Slurm takes no more
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(*columns, console=console))
        stack.callback(end, active)
        overall = progress.add_task('runs', total=total)
        while waiting or active:
            while waiting and len(active) < options.jobs and not held:
                try:
                    process = launch(waiting[0].folder)
                except UsageError as error:
                    if not active:
                        raise
                    console.print(f'{error} Waiting for the other jobs.')
                    held = True
                    break
                run = waiting.pop(0)
                bar = progress.add_task(run.title, total=run.iters or None)
                active[process] = run, bar
            time.sleep(poll)
            for process, (run, bar) in list(active.items()):
                done, of = iteration(run)
                if of:
                    progress.update(bar, completed=done, total=of)
                if (code := process.poll()) is None:
                    continue
                del active[process]
                held = False
                finish(run, code)
                progress.remove_task(bar)
                if run.results is None and not run.error:
                    waiting.append(run)
                    continue
                progress.advance(overall)
                if run.error:
                    text = f'failed {run.title}: {run.error}'
                    console.print(text, style='red')
                else:
                    console.print(f'{run.title}: {report(run)}')
