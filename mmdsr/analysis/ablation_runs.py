"""Running a study: several processes at a time, again from where it ended."""

import json
import os
import re
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from mmdsr.analysis.ablation import AblationRow, prepare
from mmdsr.converters.images import write_bytes
from mmdsr.engine.launch import UsageError

_ITERATION = re.compile(rb'\(train\)\s+(?:\[\d+\])?\[\s*(\d+)/\s*(\d+)\]')


@dataclass
class AblationRun:
    """A row with a seed.

    Args:
        row (AblationRow): The row.
        seed (int): The seed.
        folder (Path): Its folder.
        iters (int): Iterations, 0 if the schedule counts epochs.
        results (dict, optional): Per data set, once it is done.
        error (str): Why it failed.
    """

    row: AblationRow
    seed: int
    folder: Path
    iters: int = 0
    results: dict | None = None
    error: str = ''

    @property
    def title(self):
        """What messages call it."""
        return f'{self.row.label}, seed {self.seed}'


def prepare_runs(study, budget, seeds, out, roots, max_samples=None):
    """Make the folders of all runs; take up what is done.

    Args:
        study (Study): The study.
        budget (Budget): What all rows have in common.
        seeds (Sequence[int]): Seeds of every row.
        out (Path): Folder of the study.
        roots (dict[str, str]): Data sets to evaluate on, by name.
        max_samples (int, optional): Images of each. Defaults to None, all.

    Returns:
        list[AblationRun]: Seed by seed, so that a study that is stopped has
        something to compare.

    Raises:
        UsageError: If a folder holds a run of another config or budget.
    """
    task = dict(roots=roots, max_samples=max_samples)
    runs, configs = [], []
    for seed in seeds:
        for row in study.rows:
            cfg = prepare(row, budget, seed)
            folder = Path(out, 'runs', row.name, f'seed{seed}')
            run = AblationRun(
                row, seed, folder, cfg.train_cfg.get('max_iters', 0)
            )
            runs.append(run)
            configs.append(cfg.pretty_text)
    for run, text in zip(runs, configs, strict=True):
        config = run.folder / 'config.py'
        if config.is_file() and config.read_text(encoding='utf-8') != text:
            raise UsageError(
                f'{run.folder} holds a run with another config or budget: '
                'choose another --out, or remove that folder.'
            )
    for run, text in zip(runs, configs, strict=True):
        write_bytes(run.folder / 'config.py', text.encode())
        result = run.folder / 'result.json'
        if result.is_file():
            content = json.loads(result.read_text(encoding='utf-8'))
            # Trained, but tested on other data: the worker tests again.
            if content['task'] == task:
                run.results = content['results']
        text = json.dumps(task, indent=2)
        write_bytes(run.folder / 'task.json', f'{text}\n'.encode())
    return runs


def start(run, threads):
    """Start the process of a run.

    Args:
        run (AblationRun): The run.
        threads (int): CPU threads that it may use.

    Returns:
        subprocess.Popen: The process; its output goes to ``log.txt``.
    """
    names = ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'NUMBA_NUM_THREADS')
    with (run.folder / 'log.txt').open('ab') as log:
        return subprocess.Popen(
            [
                sys.executable,
                '-m',
                'mmdsr.analysis.ablation_worker',
                str(run.folder),
            ],
            env={**os.environ, **dict.fromkeys(names, str(threads))},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def finish(run, code):
    """Take up the result of a process that ended.

    Args:
        run (AblationRun): The run, changed in place.
        code (int): Exit code.
    """
    result = run.folder / 'result.json'
    log = run.folder / 'log.txt'
    if code == 0 and result.is_file():
        run.results = json.loads(result.read_text(encoding='utf-8'))['results']
        return
    lines = log.read_text(encoding='utf-8', errors='replace').split('\n')
    last = next((line for line in lines[::-1] if line.strip()), '')
    run.error = f'exit code {code}: {last.strip()[:300]} (see {log})'


def iteration(run):
    """Return how far a run is, from its log.

    Args:
        run (AblationRun): The run.

    Returns:
        tuple[int, int]: Last logged iteration and their number; zeros before
        the first one is logged.
    """
    log = run.folder / 'log.txt'
    if not log.is_file():
        return 0, 0
    with log.open('rb') as file:
        file.seek(max(log.stat().st_size - 8192, 0))
        found = _ITERATION.findall(file.read())
    return tuple(map(int, found[-1])) if found else (0, 0)


def cores():
    """Return how many CPU cores this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_all(runs, jobs, console, poll=0.5):
    """Run what is not done, several processes at a time.

    Args:
        runs (list[AblationRun]): The runs, changed in place.
        jobs (int): Processes at a time; they share the CPU's cores.
        console (rich.console.Console): Where the progress is shown.
        poll (float): Seconds between two looks. Defaults to 0.5.

    Raises:
        KeyboardInterrupt: After the processes were ended.
    """
    waiting = [run for run in runs if run.results is None]
    total, jobs = len(waiting), max(1, min(jobs, len(waiting)))
    threads = max(1, cores() // jobs)
    if len(runs) > total:
        console.print(f'{len(runs) - total} of {len(runs)} runs are done.')
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    active = {}
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(*columns, console=console))
        stack.callback(_end, active)
        overall = progress.add_task('runs', total=total)
        while waiting or active:
            while waiting and len(active) < jobs:
                run = waiting.pop(0)
                bar = progress.add_task(run.title, total=run.iters or None)
                active[start(run, threads)] = run, bar
            time.sleep(poll)
            for process, (run, bar) in list(active.items()):
                done, of = iteration(run)
                if of:
                    progress.update(bar, completed=done, total=of)
                if process.poll() is None:
                    continue
                del active[process]
                finish(run, process.returncode)
                progress.remove_task(bar)
                progress.advance(overall)
                console.print(_report(run), highlight=False)


def _end(active):
    """End all processes, by force if they take longer than ten seconds."""
    for process in active:
        process.terminate()
    for process in active:
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _report(run):
    if run.error:
        return f'[red]failed[/red] {run.title}: {run.error}'
    parts = [
        f'{name} {result["psnr_y"]:.3f} dB ({result["gain"]:+.3f})'
        if result['psnr_y'] is not None
        else f'{name} -'
        for name, result in run.results.items()
    ]
    return f'{run.title}: {", ".join(parts)}'
