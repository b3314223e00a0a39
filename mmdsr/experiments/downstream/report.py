"""Table, bars and pictures of the runs of a task."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from mmdsr.engine.predictions_hook import read_predictions
from mmdsr.experiments.downstream.pictures import draw
from mmdsr.experiments.downstream.plot import plot
from mmdsr.experiments.downstream.table import (
    MEAN,
    Table,
    build_table,
    class_scores,
    markdown,
    table_csv,
)
from mmdsr.experiments.downstream.task import Task
from mmdsr.experiments.downstream.versions import Version
from mmdsr.experiments.report import heading, write_report
from mmdsr.experiments.runs import TrainingRun, place_of
from mmdsr.experiments.table import text_of
from mmdsr.io.files import write_bytes
from mmdsr.io.reports import markdown_table

NOTES = (
    'ΔLR = LR - HR, ΔSR = SR - LR, ΔHR = HR - SR (Eq. 24-26); means of the '
    'class rows; ± sample standard deviation over seeds (for differences, '
    'over the differences of each seed)'
)


def report_line(run: TrainingRun) -> str:
    """Summarize the result of a run in a line.

    Args:
        run: The run.

    Returns:
        A line with the mean per version.
    """
    parts = []
    for version, metrics in (run.results or {}).items():
        metric, scores = class_scores(metrics)
        known = [value for value in scores.values() if value is not None]
        if metric == 'metric' or not known:
            parts.append(version)
        else:
            parts.append(f'{version} {sum(known) / len(known):.2f}')
    return ', '.join(parts)


def collect(
    runs: Sequence[TrainingRun], versions: Sequence[Version]
) -> tuple[str, dict[int, dict[str, dict[str, float | None]]]]:
    """Sort the results of a task by seed and column.

    Args:
        runs: Its runs.
        versions: The columns.

    Returns:
        Name of the metric, and the scores for ``build_table``. A seed that
        lacks a version is left out.
    """
    metric = ''
    found: dict[int, dict[str, dict[str, float | None]]] = {}
    for run in runs:
        for name, metrics in (run.results or {}).items():
            metric, scores = class_scores(metrics)
            found.setdefault(run.seed, {})[name] = scores
    complete = {
        seed: {version.label: own[version.name] for version in versions}
        for seed, own in found.items()
        if all(version.name in own for version in versions)
    }
    return metric, complete


def report_task(
    task: Task,
    runs: Sequence[TrainingRun],
    versions: Sequence[Version],
    out: Path,
    origin: dict[str, str],
) -> Table | None:
    """Write the table, bars and pictures of a task.

    Args:
        task: The task.
        runs: Its runs.
        versions: The columns.
        out: Folder of the experiment.
        origin: How it was made.

    Returns:
        The table, None if no seed is complete.
    """
    metric, scores = collect(runs, versions)
    if not scores:
        return None
    models = [version.label for version in versions if version.is_sr]
    table = build_table(scores, models, metric)
    place = Path(out, task.name)
    title = task.name if metric == 'metric' else f'{task.name}, {metric} (%)'
    if len(table.seeds) < len({run.seed for run in runs}):
        seeds = ' '.join(map(str, table.seeds))
        origin = dict(origin, incomplete=f'only seeds {seeds} are done')
    content = dict(
        task=task.name,
        origin=origin,
        table=asdict(table),
        scores={str(seed): own for seed, own in scores.items()},
    )
    write_report(
        place,
        heading(title, origin, [NOTES]),
        markdown(table),
        table_csv(table),
        content,
        runs,
    )
    plot(place / 'plot.png', title, table)
    draw_task(place / 'pictures.png', title, runs, versions, table.seeds[0])
    return table


def draw_task(
    path: Path,
    title: str,
    runs: Sequence[TrainingRun],
    versions: Sequence[Version],
    seed: int,
) -> None:
    """Draw the pictures of one seed.

    Args:
        path: PNG file.
        title: Title.
        runs: The runs of the task.
        versions: The columns.
        seed: The seed.
    """
    predictions = {}
    for version in versions:
        for run in runs:
            folder = place_of(run.folder, version.name) / 'predictions'
            if run.seed == seed and version.name in (run.results or {}):
                predictions[version.label] = read_predictions(folder)
    draw(path, title, predictions)


def summary(
    path: Path, tables: dict[str, Table | None], origin: dict[str, str]
) -> None:
    """Write the means of all tasks in one table.

    Args:
        path: Markdown file.
        tables: Table of each task.
        origin: How they were made. The seeds are those of each table, because
            a seed may have failed in one task only.
    """
    done = {
        name: table
        for name, table in tables.items()
        if table and table.lines and table.lines[-1].name == MEAN
    }
    if not done:
        return
    first = next(iter(done.values()))
    titles = [*first.columns, *first.deltas]
    rows = []
    for name, table in done.items():
        mean = table.lines[-1]
        cells = [text_of(mean.values[column]) for column in table.columns]
        cells += [
            text_of(mean.deltas[delta], sign='+') for delta in table.deltas
        ]
        seeds = ' '.join(map(str, table.seeds))
        rows.append([name, f'{table.metric} (%)', seeds, *cells])
    origin = {key: text for key, text in origin.items() if key != 'seeds'}
    lines = heading('Means over the classes', origin, [NOTES])
    lines += [markdown_table(['task', 'metric', 'seeds', *titles], rows)]
    write_bytes(path, ('\n'.join(lines) + '\n').encode())
