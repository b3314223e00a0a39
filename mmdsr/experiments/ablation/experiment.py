"""Check the rows of a study, run them, and report the results."""

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from mmengine.config import Config
from rich.console import Console

from mmdsr.engine.check_sizes import check_sizes
from mmdsr.engine.generator import build_generator
from mmdsr.engine.launch import check_data
from mmdsr.errors import UsageError
from mmdsr.experiments.ablation.report import Costing, report
from mmdsr.experiments.ablation.study import (
    AblationRow,
    Budget,
    Study,
    has_teacher,
    prepare,
    training_roots,
)
from mmdsr.experiments.options import StudyOptions
from mmdsr.experiments.runs import TrainingRun, prepare_runs, run_all
from mmdsr.io.checkpoint import find_checkpoint
from mmdsr.io.identity import identify


def check_inputs(study: Study, budget: Budget) -> None:
    """Check that nothing is missing before anything is trained.

    Args:
        study: The study.
        budget: What all rows have in common.

    Raises:
        UsageError: If training data or a teacher are missing, or a network
            cannot be built.
    """
    for row in study.rows:
        cfg = prepare(row, budget, 0)
        check_data(cfg, ['train_dataloader'])
        build_generator(cfg, row.label)
        if has_teacher(cfg):
            try:
                find_checkpoint(cfg.model.teacher_checkpoint)
            except FileNotFoundError as error:
                raise UsageError(
                    f'{row.label!r} needs a trained teacher: {error} Set '
                    '--teacher.'
                ) from error


def check_tests(roots: Iterable[str], max_samples: int | None) -> None:
    """Check that data sets can be tested on before anything is trained.

    Args:
        roots: Data sets to test on.
        max_samples: Number of images of each; None for all.

    Raises:
        UsageError: If one is missing, has no samples to test on, or an image
            is damaged or does not fit.
    """
    for root in roots:
        if not Path(root).is_dir():
            raise UsageError(
                f'The data set {root} does not exist: set --test-roots to '
                'data sets with a folder "test".'
            )
        try:
            check_sizes(
                dict(data_root=root, split='test', max_samples=max_samples)
            )
        except (OSError, ValueError) as error:
            raise UsageError(
                f'The data set {root} cannot be tested on: {error}'
            ) from error


def name_roots(roots: Sequence[Path | str]) -> dict[str, str]:
    """Return the names of data sets in tables.

    Args:
        roots: The data sets.

    Returns:
        Absolute path of each data set by the name of its folder, or by its
        path if two folders have the same name.
    """
    paths = [Path(root).resolve() for root in dict.fromkeys(roots)]
    names = [path.name for path in paths]
    return {
        str(path) if names.count(name) > 1 else name: str(path)
        for path, name in zip(paths, names, strict=True)
    }


def make_runs(
    study: Study,
    budget: Budget,
    seeds: Sequence[int],
    out: Path,
    roots: dict[str, str],
    max_samples: int | None = None,
) -> list[TrainingRun]:
    """Create the folders of all runs; load the results of finished ones.

    Args:
        study: The study.
        budget: What all rows have in common.
        seeds: Seeds of every row.
        out: Folder of the study.
        roots: Data sets to test on, by name.
        max_samples: Number of images of each. Defaults to None, all.

    Returns:
        The runs, seed by seed.

    Raises:
        UsageError: If a folder contains a run of another config or budget, or
            its training data have changed.
    """
    tests = {
        name: dict(root=root, max_samples=max_samples)
        for name, root in roots.items()
    }
    known = cache(identify)
    tested = {name: known(root) for name, root in roots.items()}

    def make(row: AblationRow, seed: int) -> tuple[TrainingRun, Config]:
        title = f'{row.label}, seed {seed}'
        folder = Path(out, 'runs', row.name, f'seed{seed}')
        cfg = prepare(row, budget, seed)
        run = TrainingRun(
            'ablation',
            row.label,
            seed,
            title,
            folder,
            tests,
            data={root: known(root) for root in training_roots(cfg)},
            tested=tested,
        )
        return run, cfg

    return prepare_runs(study.rows, seeds, make)


def report_line(run: TrainingRun) -> str:
    """Summarize the result of a run in a line.

    Args:
        run: The run.

    Returns:
        PSNR-Y and gain per data set.
    """
    return ', '.join(
        f'{name} {result["psnr_y"]:.3f} dB ({result["gain"]:+.3f})'
        if result['psnr_y'] is not None
        else f'{name} -'
        for name, result in (run.results or {}).items()
    )


def run_study(
    study: Study,
    budget: Budget,
    out: Path,
    console: Console,
    options: StudyOptions,
    costing: Costing,
) -> list[TrainingRun]:
    """Train and test all rows, and write tables and plot.

    Args:
        study: The study.
        budget: What all rows have in common.
        out: Folder of the study. Finished runs in it are kept.
        console: Console for progress and table.
        options: How the runs are done.
        costing: How the cost is measured.

    Returns:
        All runs; those that failed have an ``error``.

    Raises:
        UsageError: If something is missing or does not fit.
    """
    first = prepare(study.rows[0], budget, 0)
    own = budget.data_root or first.test_dataloader.dataset.data_root
    roots = name_roots(options.test_roots or [own])
    most = options.max_samples
    check_inputs(study, budget)
    check_tests(roots.values(), most)
    runs = make_runs(study, budget, options.seeds, out, roots, most)
    run_all(runs, options, console, report_line)
    report(study, budget, runs, out, console, most, costing)
    return runs
