"""PSNR against cost, as in Fig. 7 of the paper: upper left is better."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmdsr.experiments.ablation.table import Cost, Line
from mmdsr.io.reports import write_figure


def spread(places: Sequence[float]) -> list[float]:
    """Move equal positions apart slightly, so that no bar hides another.

    Args:
        places: Positions on the axis.

    Returns:
        The new positions; equal ones are centered around the original.
    """
    step = 0.02 * max(places)
    return [
        place
        + step * (places[:number].count(place) - (places.count(place) - 1) / 2)
        for number, place in enumerate(places)
    ]


def plot(
    path: Path,
    tables: dict[str, list[Line]],
    bicubic: dict[str, dict[str, Any]],
    costs: dict[str, Cost],
) -> None:
    """Draw a panel per data set; bars show the spread over seeds.

    Args:
        path: PNG file.
        tables: Lines per data set, see
            :mod:`mmdsr.experiments.ablation.table`.
        bicubic: ``psnr_y`` of bicubic per data set.
        costs: Cost of each label.
    """
    # Without pyplot, no window system is needed.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4 * len(tables), 4.8), layout='constrained')
    panels = figure.subplots(1, len(tables), squeeze=False)[0]
    for axes, (name, lines) in zip(panels, tables.items(), strict=True):
        places = spread([costs[line.label].macs / 1e9 for line in lines])
        for number, line in enumerate(lines):
            if line.psnr is None:
                continue
            axes.errorbar(
                places[number],
                line.psnr.mean,
                yerr=line.psnr.spread,
                marker='os^Dv*PX'[number % 8],
                color=f'C{number % 10}',
                capsize=4,
                linestyle='none',
                label=line.label,
            )
        if name in bicubic:
            axes.axhline(
                bicubic[name]['psnr_y'],
                color='0.5',
                linestyle='--',
                label='bicubic',
            )
        # From 0, so that distances show the ratio of the costs.
        axes.set_xlim(0, 1.15 * max(places))
        axes.set_xlabel('MACs as run (G)')
        axes.set_ylabel('PSNR-Y (dB)')
        axes.set_title(name)
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize='small')
    write_figure(path, figure)
