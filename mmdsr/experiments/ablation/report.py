"""Tables and plot of the runs of a study."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track

from mmdsr.experiments.ablation.plot import plot
from mmdsr.experiments.ablation.study import Budget, Study, prepare
from mmdsr.experiments.ablation.table import (
    Cost,
    Line,
    lines_of,
    markdown,
    measure_cost,
    table_csv,
)
from mmdsr.experiments.report import heading, write_report
from mmdsr.experiments.runs import TrainingRun
from mmdsr.settings import Settings, setting


@dataclass(frozen=True)
class Costing(Settings):
    """How the cost of a row is measured."""

    shape: tuple[int, int] = setting(
        (80, 112),
        'LR size for the cost (default: %(default)s)',
        least=16,
        metavar=('H', 'W'),
    )
    repeats: int = setting(
        5,
        'timed passes per row at the end; 0: no timing (default: %(default)s)',
        least=0,
    )


def measure_costs(
    study: Study, budget: Budget, costing: Costing, console: Console
) -> dict[str, Cost]:
    """Measure the cost of every row.

    Args:
        study: The study.
        budget: What all rows have in common.
        costing: How the cost is measured.
        console: Console for the progress.

    Returns:
        Cost of each label.
    """
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    return {
        row.label: measure_cost(
            prepare(row, budget, 0).model.generator,
            costing.shape,
            costing.repeats,
            device,
        )
        for row in track(study.rows, description='cost', console=console)
    }


def collect(
    study: Study, runs: Sequence[TrainingRun]
) -> tuple[dict[str, list[Line]], dict[str, dict[str, Any]]]:
    """Sort the results by data set.

    Args:
        study: The study.
        runs: Its runs.

    Returns:
        Lines, and the values of bicubic if a run is finished, per data set.
    """
    labels = [row.label for row in study.rows]
    done = [run for run in runs if run.results]
    tables, bicubic = {}, {}
    for name in runs[0].tests:
        results = {
            (run.row, run.seed): (run.results or {})[name] for run in done
        }
        tables[name] = lines_of(labels, results)
        for result in results.values():
            bicubic[name] = result['bicubic']
    return tables, bicubic


def report(
    study: Study,
    budget: Budget,
    runs: Sequence[TrainingRun],
    out: Path,
    console: Console,
    max_samples: int | None,
    costing: Costing,
) -> None:
    """Measure the costs; write tables and plot, and show the table.

    Args:
        study: The study.
        budget: What all rows have in common.
        runs: All runs.
        out: Folder of the study.
        console: Console for the table.
        max_samples: Test images per data set.
        costing: How the cost is measured.
    """
    costs = measure_costs(study, budget, costing, console)
    tables, bicubic = collect(study, runs)
    seeds = sorted({run.seed for run in runs})
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    origin = dict(
        iterations=budget.iters or 'as configured',
        crop=budget.crop or 'as configured',
        batch=budget.batch_size or 'as configured',
        seeds=' '.join(map(str, seeds)),
        tested='final weights, true reference'
        + (f', {max_samples} images' if max_samples else ''),
        timed=f'{device}, {torch.get_num_threads()} threads, median of '
        f'{costing.repeats}'
        if costing.repeats
        else 'no',
    )
    write_tables(
        out, study.title, origin, tables, bicubic, costs, runs, costing.shape
    )
    plot(Path(out, 'plot.png'), tables, bicubic, costs)
    text = Path(out, 'table.md').read_text(encoding='utf-8')
    console.print(text)


def write_tables(
    out: Path,
    title: str,
    origin: dict[str, Any],
    tables: dict[str, list[Line]],
    bicubic: dict[str, dict[str, Any]],
    costs: dict[str, Cost],
    runs: Sequence[TrainingRun],
    shape: tuple[int, int],
) -> None:
    """Write ``table.md``, ``table.csv`` and ``table.json``.

    Args:
        out: Folder.
        title: Title of the study.
        origin: How it was made.
        tables: Lines per data set.
        bicubic: Bicubic's values per data set.
        costs: Cost of each label.
        runs: All runs.
        shape: LR size of the costs.
    """
    height, width = shape
    notes = [
        f'cost: LR {width}x{height}, Ref {4 * width}x{4 * height}, MACs as '
        'run, time of one image',
        '±: sample standard deviation over seeds; delta: difference from the '
        'first row, paired by seed',
        'match: visible pixels whose place in the reference is found to '
        'within one LR pixel, where the true flow is known',
    ]
    content = dict(
        title=title,
        origin=origin,
        cost_lr_size=list(shape),
        tables={n: [asdict(li) for li in part] for n, part in tables.items()},
        bicubic=bicubic,
        costs={label: asdict(cost) for label, cost in costs.items()},
    )
    seeds = len({run.seed for run in runs})
    write_report(
        out,
        heading(title, origin, notes),
        markdown(tables, bicubic, costs, seeds),
        table_csv(tables, costs),
        content,
        runs,
    )
