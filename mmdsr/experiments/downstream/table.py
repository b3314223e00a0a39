"""The paper's tables: LR, SR and HR side by side, and their differences.

Equations 24 to 26: ``Delta-LR = LR - HR`` (what low resolution costs),
``Delta-SR = SR - LR`` (what super-resolution gives back) and ``Delta-HR =
HR - SR`` (what is still missing); their sum is zero. Means are recomputed
from the class rows: the paper's own are not always the means of its rows.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mmdsr.experiments.table import cells_of, summarize, text_of
from mmdsr.io.reports import csv_text, markdown_table

#: Names of per-class metrics, ``NAME/CLASS`` in the results of a test.
METRICS = ('IoU', 'AP50', 'F1')
MEAN = 'mean'
#: Names of means in the results of a test, which are no classes.
MEANS = (MEAN, 'mean_all')
_TOLERANCE = 1e-6


@dataclass
class ClassLine:
    """A class, or the mean.

    Args:
        name: Code of the class.
        values: Value of each column.
        deltas: Value of each difference, by its title.
    """

    name: str
    values: dict = field(default_factory=dict)
    deltas: dict = field(default_factory=dict)


@dataclass
class Table:
    """A table of the paper.

    Args:
        metric: ``'IoU'``, ``'AP50'``, ``'F1'``, or ``'metric'`` if the host's
            own metrics are the rows.
        columns: LR, bicubic, SR ..., HR.
        deltas: Titles of the differences.
        lines: Classes, then the mean if they are classes.
        left_out: Classes that lack a value in some column; they are excluded
            from the mean.
        seeds: Seeds of the values.
    """

    metric: str
    columns: list
    deltas: list
    lines: list
    left_out: list
    seeds: list


def class_scores(
    metrics: dict[str, float | None],
) -> tuple[str, dict[str, float | None]]:
    """Extract the values per class from the results of a test.

    Args:
        metrics: Results of the test.

    Returns:
        Name of the metric and its value per class. Without such a metric,
        ``'metric'`` and all numbers.
    """
    for name in METRICS:
        pattern = re.compile(rf'(?:.*/)?{name}/([^/]+)$')
        scores = {
            match[1]: value
            for key, value in metrics.items()
            if (match := pattern.match(key)) and match[1] not in MEANS
        }
        if scores:
            return name, scores
    rest = {k: v for k, v in metrics.items() if not k.endswith('time')}
    return 'metric', rest


def delta_titles(models: Sequence[str]) -> list[str]:
    """Return the names of the differences in the paper's order.

    Args:
        models: Columns of the super-resolution models.

    Returns:
        Delta-LR, Delta-SR per model, Delta-HR per model.
    """
    return [
        'ΔLR',
        *(f'Δ{model}' for model in models),
        *(
            model.replace('SR', 'ΔHR', 1)
            if model.startswith('SR')
            else f'ΔHR({model})'
            for model in models
        ),
    ]


def differences(
    values: dict[str, float], models: Sequence[str]
) -> list[float]:
    """Compute the differences of a row.

    Args:
        values: Value per column, among them ``LR`` and ``HR``.
        models: Columns of the super-resolution models.

    Returns:
        In the order of :func:`delta_titles`.
    """
    low, high = values['LR'], values['HR']
    return [
        low - high,
        *(values[model] - low for model in models),
        *(high - values[model] for model in models),
    ]


def check_identity(line: ClassLine, models: Sequence[str]) -> None:
    """Check that the differences of a line add up to zero.

    Args:
        line: A line with all values.
        models: Columns of the super-resolution models.

    Raises:
        AssertionError: If they do not add up to zero for a model.
    """
    first, *rest = delta_titles(models)
    count = len(models)
    for gain, left in zip(rest[:count], rest[count:], strict=True):
        total = sum(line.deltas[t].mean for t in (first, gain, left))
        # Not "> tolerance", which would accept NaN.
        if not abs(total) <= _TOLERANCE:
            raise AssertionError(
                f'{line.name}: {first} + {gain} + {left} = {total}, not 0.'
            )


def build_table(
    scores: dict[int, dict[str, dict[str, float | None]]],
    models: Sequence[str],
    metric: str,
) -> Table:
    """Compute the table of a task.

    Args:
        scores: Value per seed, column and class; the columns in the order of
            the table.
        models: Columns of the super-resolution models.
        metric: See :class:`Table`.

    Returns:
        The table. Differences are taken seed by seed.
    """
    seeds = sorted(scores)
    columns = list(scores[seeds[0]])
    names = list(
        dict.fromkeys(
            name
            for seed in seeds
            for column in columns
            for name in scores[seed][column]
        )
    )
    titles = delta_titles(models)
    left_out, lines, complete = [], [], []
    for name in names:
        rows = [
            {column: scores[seed][column].get(name) for column in columns}
            for seed in seeds
        ]
        if any(_missing(value) for row in rows for value in row.values()):
            left_out.append(name)
            lines.append(_partial_line(name, rows, columns))
            continue
        complete.append(rows)
        lines.append(_line(name, rows, columns, titles, models))
    if metric != 'metric' and complete:
        rows = [
            {
                column: math.fsum(own[number][column] or 0 for own in complete)
                / len(complete)
                for column in columns
            }
            for number in range(len(seeds))
        ]
        lines.append(_line(MEAN, rows, columns, titles, models))
    return Table(metric, columns, titles, lines, left_out, seeds)


def _missing(value: float | None) -> bool:
    return value is None or not math.isfinite(value)


def _line(
    name: str,
    rows: Sequence[dict[str, Any]],
    columns: Sequence[str],
    titles: Sequence[str],
    models: Sequence[str],
) -> ClassLine:
    line = ClassLine(name)
    for column in columns:
        line.values[column] = summarize(row[column] for row in rows)
    parts = [differences(row, models) for row in rows]
    for title, values in zip(titles, zip(*parts, strict=True), strict=True):
        line.deltas[title] = summarize(values)
    check_identity(line, models)
    return line


def _partial_line(
    name: str, rows: Sequence[dict[str, Any]], columns: Sequence[str]
) -> ClassLine:
    line = ClassLine(name)
    for column in columns:
        known = [r[column] for r in rows if not _missing(r[column])]
        if known:
            line.values[column] = summarize(known)
    return line


def markdown(table: Table) -> str:
    """Write a table as Markdown.

    Args:
        table: The table.

    Returns:
        The lines of the table and the notes on it.
    """
    header = ['class' if table.metric != 'metric' else 'metric']
    header += [*table.columns, *table.deltas]
    rows = []
    for line in table.lines:
        cells = [line.name]
        cells += [text_of(line.values.get(c)) for c in table.columns]
        cells += [text_of(line.deltas.get(d), sign='+') for d in table.deltas]
        if line.name == MEAN:
            cells = [f'**{cell}**' for cell in cells]
        rows.append(cells)
    lines = [markdown_table(header, rows)]
    if table.left_out:
        lines += [
            '',
            'Not in the mean, because a column has no value: '
            f'{", ".join(table.left_out)}.',
        ]
    return '\n'.join(lines) + '\n'


def table_csv(table: Table) -> str:
    """Write a table as CSV.

    Args:
        table: The table.

    Returns:
        Mean and spread per column and difference; unknown values are empty
        cells.
    """
    titles = [*table.columns, *table.deltas]
    parts = [f'{title}{end}' for title in titles for end in ('', ' spread')]
    rows = []
    for line in table.lines:
        cells = [line.name, len(table.seeds)]
        for title in titles:
            cells += cells_of(line.values.get(title) or line.deltas.get(title))
        rows.append(cells)
    return csv_text(['class', 'seeds', *parts], rows)
