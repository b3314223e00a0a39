"""Fig. 7 (PSNR against cost) and Figs. 6, 8, 9 (crops side by side)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mmdsr.evaluation.functional import psnr, to_y
from mmdsr.experiments.labels import label_points
from mmdsr.experiments.table2.table import Cost, Line
from mmdsr.io.reports import write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Number of pictures in a row of Figs. 8 and 9.
_COLUMNS = 6


def pareto(points: Sequence[tuple[float, float]]) -> list[int]:
    """Find the points of the Pareto front.

    Args:
        points: Cost and quality of each.

    Returns:
        Positions of the points to which no other is at least equal in both and
        better in one; the cheapest first.
    """
    order = sorted(
        range(len(points)), key=lambda n: (points[n][0], -points[n][1])
    )
    front: list[int] = []
    for number in order:
        if not front or points[number][1] > points[front[-1]][1]:
            front.append(number)
    return front


def median_and_largest(gains: Sequence[float]) -> tuple[int, int]:
    """Choose two images by a fixed rule.

    Args:
        gains: Gain of the compared network on each image.

    Returns:
        Positions of the (lower) median gain and of the largest one.
    """
    order = sorted(range(len(gains)), key=lambda number: gains[number])
    return order[(len(order) - 1) // 2], order[-1]


def hardest_window(
    bicubic: np.ndarray, hr: np.ndarray, share: float = 0.3
) -> tuple[slice, slice]:
    """Choose the part of an image to show, where bicubic is worst.

    The choice favors none of the compared networks.

    Args:
        bicubic: (H, W, 3) uint8.
        hr: The truth, in the same format.
        share: Sides of the part relative to those of the image.

    Returns:
        Rows and columns.
    """
    error = (to_y(bicubic) - to_y(hr)) ** 2
    height, width = (max(1, round(share * side)) for side in error.shape)
    sums = cv2.integral(np.asarray(error, np.float64))
    inside = (
        sums[height:, width:]
        - sums[:-height, width:]
        - sums[height:, :-width]
        + sums[:-height, :-width]
    )
    top, left = np.unravel_index(int(inside.argmax()), inside.shape)
    return (
        slice(int(top), int(top) + height),
        slice(int(left), int(left) + width),
    )


def draw_fig7(
    path: Path,
    tables: Mapping[str, Sequence[Line]],
    costs: Mapping[str, Cost],
) -> None:
    """Draw PSNR-Y against MACs, a panel per data set.

    Args:
        path: PNG file.
        tables: Lines per data set.
        costs: Cost of each label.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    figure = Figure(figsize=(7.2 * len(tables), 5.4), layout='constrained')
    panels = figure.subplots(1, len(tables), squeeze=False)[0]
    named = []
    for axes, (name, lines) in zip(panels, tables.items(), strict=True):
        shown = [x for x in lines if x.values and x.label in costs]
        points = [
            (costs[x.label].macs / 1e9, x.values['psnr_y'].mean) for x in shown
        ]
        for line, (cost, quality) in zip(shown, points, strict=True):
            axes.errorbar(
                cost,
                quality,
                yerr=line.values['psnr_y'].spread,
                marker='o',
                capsize=3,
                linestyle='none',
            )
        front = [points[number] for number in pareto(points)]
        axes.plot(
            *zip(*front, strict=True) if front else ([], []),
            color='0.6',
            linestyle='--',
            zorder=0,
            label='Pareto front',
        )
        # Costs differ by a factor of thirty.
        axes.set_xscale('log')
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.margins(x=0.1)
        axes.set_xlabel('MACs as run (G), LR 128x128')
        axes.set_ylabel('PSNR-Y (dB)')
        axes.set_title(name)
        axes.grid(alpha=0.3)
        axes.legend(fontsize='small')
        named.append((axes, [x.label for x in shown], points))
    figure.draw_without_rendering()
    for axes, labels, points in named:
        label_points(axes, labels, points)
    write_figure(path, figure)


def draw_whole(
    path: Path, rows: Sequence[Mapping[str, np.ndarray]], hr: str
) -> None:
    """Draw whole images, one scene per row, as in Fig. 6.

    Args:
        path: PNG file.
        rows: Images (H, W, 3) uint8 by title, the same titles in each row.
        hr: Title of the truth, which has no PSNR.
    """
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(3 * len(rows[0]), 2.6 * len(rows)), layout='constrained'
    )
    panels = figure.subplots(len(rows), len(rows[0]), squeeze=False)
    for line, images in zip(panels, rows, strict=True):
        for axes, (title, image) in zip(line, images.items(), strict=True):
            _show(axes, image, title, images[hr], title != hr)
    write_figure(path, figure)


def draw_crops(
    path: Path, title: str, images: Mapping[str, np.ndarray], hr: str
) -> None:
    """Draw the same part of all results, as in Figs. 8 and 9.

    Args:
        path: PNG file.
        title: Title of the figure.
        images: Whole images (H, W, 3) uint8 by title, with ``'bicubic'``.
        hr: Title of the truth.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    window = hardest_window(images['bicubic'], images[hr])
    lines = -(-(len(images) + 1) // _COLUMNS)
    figure = Figure(
        figsize=(2.1 * _COLUMNS, 2 * lines + 0.4), layout='constrained'
    )
    figure.suptitle(title)
    panels = figure.subplots(lines, _COLUMNS, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    panels[0].imshow(images[hr])
    panels[0].set_title('HR', fontsize='small')
    rows, cols = window
    panels[0].add_patch(
        Rectangle(
            (cols.start, rows.start),
            cols.stop - cols.start,
            rows.stop - rows.start,
            fill=False,
            edgecolor='red',
        )
    )
    for axes, (name, image) in zip(panels[1:], images.items(), strict=False):
        _show(axes, image, name, images[hr], name != hr, window)
    write_figure(path, figure)


def _show(
    axes: 'Axes',
    image: np.ndarray,
    title: str,
    hr: np.ndarray,
    scored: bool,
    window: tuple[slice, slice] = np.s_[:, :],
) -> None:
    """Show a part of an image with the PSNR of the whole image."""
    axes.set_axis_off()
    axes.imshow(image[window])
    text = f'{title}\n{psnr(image, hr):.2f} dB' if scored else title
    axes.text(
        0.5,
        -0.03,
        text,
        transform=axes.transAxes,
        ha='center',
        va='top',
        fontsize='small',
    )
