"""The runs of a study: a row with a seed each."""

import json
from dataclasses import dataclass
from pathlib import Path

from mmdsr.experiments.ablation.study import AblationRow, prepare
from mmdsr.experiments.runs import TrainingRun, write_configs, write_json

WORKER = 'mmdsr.experiments.ablation.worker'


@dataclass
class AblationRun(TrainingRun):
    """A row with a seed.

    Args:
        row (AblationRow): The row.
        seed (int): The seed.
    """

    row: AblationRow | None = None
    seed: int = 0


def make_run(row, seed, folder, **kwargs):
    """Return the run of a row with a seed.

    Args:
        row (AblationRow): The row.
        seed (int): The seed.
        folder (Path): Its folder.
        **kwargs: As of :class:`mmdsr.experiments.runs.TrainingRun`.

    Returns:
        AblationRun: The run.
    """
    title = f'{row.label}, seed {seed}'
    return AblationRun(title, folder, WORKER, row=row, seed=seed, **kwargs)


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
            iters = cfg.train_cfg.get('max_iters', 0)
            runs.append(make_run(row, seed, folder, iters=iters))
            configs.append(cfg.pretty_text)
    write_configs(runs, configs)
    for run in runs:
        result = run.folder / 'result.json'
        if result.is_file():
            content = json.loads(result.read_text(encoding='utf-8'))
            # Trained, but tested on other data: the worker tests again.
            if content['task'] == task:
                run.results = content['results']
        write_json(run.folder / 'task.json', task)
    return runs


def report(run):
    """Say in a line what a run reached.

    Args:
        run (AblationRun): The run.

    Returns:
        str: PSNR-Y and gain per data set.
    """
    return ', '.join(
        f'{name} {result["psnr_y"]:.3f} dB ({result["gain"]:+.3f})'
        if result['psnr_y'] is not None
        else f'{name} -'
        for name, result in run.results.items()
    )
