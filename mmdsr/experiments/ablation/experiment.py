"""A study from its rows to its tables: checked, run, reported."""

from pathlib import Path

from mmdsr.engine.launch import check_data
from mmdsr.errors import UsageError
from mmdsr.experiments.ablation.report import Costing, report
from mmdsr.experiments.ablation.study import has_teacher, prepare
from mmdsr.experiments.runs import TrainingRun, prepare_runs, run_all
from mmdsr.io.checkpoint import find_checkpoint
from mmdsr.registry import MODELS


def check_inputs(study, budget, roots):
    """Find what is missing before anything is trained.

    Args:
        study (Study): The study.
        budget (Budget): What all rows have in common.
        roots (dict[str, str]): Data sets to test on, by name.

    Raises:
        UsageError: If data or a teacher are missing, or a network cannot be
            built.
    """
    for row in study.rows:
        cfg = prepare(row, budget, 0)
        check_data(cfg, ['train_dataloader'])
        try:
            MODELS.build(cfg.model.generator)
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f'The network of {row.label!r} cannot be built: {error}'
            ) from error
        if has_teacher(cfg):
            try:
                find_checkpoint(cfg.model.teacher_checkpoint)
            except FileNotFoundError as error:
                raise UsageError(
                    f'{row.label!r} needs a trained teacher: {error} Set '
                    '--teacher.'
                ) from error
    for root in roots.values():
        if not Path(root).is_dir():
            raise UsageError(f'The data set {root} does not exist.')


def name_roots(roots):
    """Name data sets as tables do.

    Args:
        roots (Sequence[str or Path]): The data sets.

    Returns:
        dict[str, str]: Absolute paths by the folder's name, or by the path
        if two share it.
    """
    paths = [Path(root).resolve() for root in dict.fromkeys(roots)]
    names = [path.name for path in paths]
    return {
        str(path) if names.count(name) > 1 else name: str(path)
        for path, name in zip(paths, names, strict=True)
    }


def make_runs(study, budget, seeds, out, roots, max_samples=None):
    """Make the folders of all runs; take up what is done.

    Args:
        study (Study): The study.
        budget (Budget): What all rows have in common.
        seeds (Sequence[int]): Seeds of every row.
        out (Path): Folder of the study.
        roots (dict[str, str]): Data sets to test on, by name.
        max_samples (int, optional): Images of each. Defaults to None, all.

    Returns:
        list[TrainingRun]: Seed by seed.

    Raises:
        UsageError: If a folder holds a run of another config or budget.
    """
    tests = {
        name: dict(root=root, max_samples=max_samples)
        for name, root in roots.items()
    }

    def make(row, seed):
        title = f'{row.label}, seed {seed}'
        folder = Path(out, 'runs', row.name, f'seed{seed}')
        run = TrainingRun('ablation', row.label, seed, title, folder, tests)
        return run, prepare(row, budget, seed)

    return prepare_runs(study.rows, seeds, make)


def report_line(run):
    """Say in a line what a run reached.

    Args:
        run (TrainingRun): The run.

    Returns:
        str: PSNR-Y and gain per data set.
    """
    return ', '.join(
        f'{name} {result["psnr_y"]:.3f} dB ({result["gain"]:+.3f})'
        if result['psnr_y'] is not None
        else f'{name} -'
        for name, result in run.results.items()
    )


def run_study(
    study,
    budget,
    out,
    console,
    *,
    seeds=(0, 1, 2),
    jobs=1,
    test_roots=None,
    max_samples=None,
    costing=None,
):
    """Train and test all rows, and write tables and plot.

    Args:
        study (Study): The study.
        budget (Budget): What all rows have in common.
        out (Path): Folder of the study. What is done in it is kept.
        console (rich.console.Console): Where progress and table are shown.
        seeds (Sequence[int]): Seeds of every row. Defaults to (0, 1, 2).
        jobs (int): Runs at a time. Defaults to 1.
        test_roots (Sequence[str], optional): Data sets to test on. Defaults
            to None, the data root.
        max_samples (int, optional): Test images of each. Defaults to None,
            all.
        costing (Costing, optional): How the cost is measured. Defaults to
            None, ``Costing()``.

    Returns:
        list[TrainingRun]: All runs; those that failed have an ``error``.

    Raises:
        UsageError: If something is missing or does not fit.
    """
    first = prepare(study.rows[0], budget, 0)
    own = budget.data_root or first.test_dataloader.dataset.data_root
    roots = name_roots(test_roots or [own])
    check_inputs(study, budget, roots)
    seeds = list(dict.fromkeys(seeds))
    runs = make_runs(study, budget, seeds, out, roots, max_samples)
    run_all(runs, jobs, console, report_line)
    report(
        study, budget, runs, out, console, max_samples, costing or Costing()
    )
    return runs
