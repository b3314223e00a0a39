"""From the runs of a task to its table, bars and pictures."""

from dataclasses import asdict
from pathlib import Path

from mmdsr.engine.predictions_hook import read_predictions
from mmdsr.experiments.downstream.pictures import draw
from mmdsr.experiments.downstream.plot import plot
from mmdsr.experiments.downstream.table import (
    MEAN,
    build_table,
    class_scores,
    markdown,
    table_csv,
)
from mmdsr.experiments.report import heading, write_report
from mmdsr.experiments.runs import place_of
from mmdsr.experiments.table import text_of
from mmdsr.io.files import write_bytes
from mmdsr.io.reports import markdown_table

NOTES = (
    'ΔLR = LR - HR, ΔSR = SR - LR, ΔHR = HR - SR (Eq. 24-26); means of the '
    'class rows; ± sample standard deviation over seeds, of a difference '
    'over its values seed by seed'
)


def report_line(run):
    """Say in a line what a run reached.

    Args:
        run (TrainingRun): The run.

    Returns:
        str: The mean per version.
    """
    parts = []
    for version, metrics in run.results.items():
        metric, scores = class_scores(metrics)
        known = [value for value in scores.values() if value is not None]
        if metric == 'metric' or not known:
            parts.append(version)
        else:
            parts.append(f'{version} {sum(known) / len(known):.2f}')
    return ', '.join(parts)


def collect(runs, versions):
    """Sort the results of a task by seed and column.

    Args:
        runs (Sequence[TrainingRun]): Its runs.
        versions (Sequence[Version]): The columns.

    Returns:
        tuple[str, dict]: Name of the metric, and as ``build_table`` takes
        it. A seed that lacks a version is left out.
    """
    metric, found = '', {}
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


def report_task(task, runs, versions, out, origin):
    """Write the table, bars and pictures of a task.

    Args:
        task (Task): The task.
        runs (Sequence[TrainingRun]): Its runs.
        versions (Sequence[Version]): The columns.
        out (Path): Folder of the experiment.
        origin (dict[str, str]): How it was made.

    Returns:
        Table or None: The table; None if no seed is complete.
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


def draw_task(path, title, runs, versions, seed):
    """Draw the pictures of one seed.

    Args:
        path (Path): PNG file.
        title (str): Title.
        runs (Sequence[TrainingRun]): The runs of the task.
        versions (Sequence[Version]): The columns.
        seed (int): The seed.
    """
    predictions = {}
    for version in versions:
        for run in runs:
            folder = place_of(run.folder, version.name) / 'predictions'
            if run.seed == seed and version.name in (run.results or {}):
                predictions[version.label] = read_predictions(folder)
    draw(path, title, predictions)


def summary(path, tables, origin):
    """Write the means of all tasks in one table.

    Args:
        path (Path): Markdown file.
        tables (dict[str, Table or None]): Per task.
        origin (dict[str, str]): How they were made.
    """
    done = {n: t for n, t in tables.items() if t and t.lines[-1].name == MEAN}
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
        rows.append([name, f'{table.metric} (%)', *cells])
    lines = heading('Means over the classes', origin, [NOTES])
    lines += [markdown_table(['task', 'metric', *titles], rows)]
    write_bytes(path, ('\n'.join(lines) + '\n').encode())
