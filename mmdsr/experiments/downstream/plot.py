"""Bar chart of a task: one group per class, one bar per version."""

from pathlib import Path

from mmdsr.experiments.downstream.table import Table
from mmdsr.io.reports import write_figure

#: LR and bicubic are gray, HR is black, models have colors.
_COLORS = {'LR': '0.8', 'bicubic': '0.6', 'HR': '0.15'}


def plot(path: Path, title: str, table: Table) -> None:
    """Draw the bars; whiskers show the spread over seeds.

    Args:
        path: PNG file.
        title: Title.
        table: See :mod:`mmdsr.experiments.downstream.table`.
    """
    # Without pyplot, no window system is needed.
    from matplotlib.figure import Figure

    lines = [line for line in table.lines if line.values]
    count = len(table.columns)
    width = 0.8 / count
    figure = Figure(
        figsize=(max(5.0, 1.5 + 0.28 * count * len(lines)), 4.0),
        layout='constrained',
    )
    axes = figure.add_subplot()
    models = [c for c in table.columns if c not in _COLORS]
    for number, column in enumerate(table.columns):
        places, heights, errors = [], [], []
        for group, line in enumerate(lines):
            value = line.values.get(column)
            if value is not None:
                places.append(group + (number - (count - 1) / 2) * width)
                heights.append(value.mean)
                errors.append(value.spread or 0)
        color = _COLORS.get(column)
        axes.bar(
            places,
            heights,
            width,
            yerr=errors if any(errors) else None,
            capsize=2,
            label=column,
            color=color or f'C{models.index(column) % 10}',
        )
    axes.set_xticks(range(len(lines)), [line.name for line in lines])
    unit = '' if table.metric == 'metric' else f'{table.metric} (%)'
    axes.set_ylabel(unit)
    axes.set_title(title)
    axes.grid(axis='y', alpha=0.3)
    axes.set_axisbelow(True)
    axes.set_ylim(0, max(1, axes.get_ylim()[1]))
    figure.legend(loc='outside lower center', ncols=count, fontsize='small')
    write_figure(path, figure)
