"""Compare image statistics of simulated runs and real sequences."""

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from rich.table import Table

from mmdsr.analysis.image_statistics import (
    HISTOGRAM_BINS,
    MIN_SIDE,
    SPECTRUM_FREQUENCIES,
    STATISTICS,
    measure,
)
from mmdsr.io.files import write_bytes
from mmdsr.io.frames import find_runs, read_rgb
from mmdsr.io.reports import csv_text, markdown_table, write_figure
from mmdsr.sim import PipeRun

SIMULATED = 'simulated'
FORMATS = ('.csv', '.json', '.md')


@dataclass
class Sequence:
    """Mean statistics of the images of a sequence.

    Attributes:
        name: Name of the folder or run.
        images: Number of images.
        values: Means of what :func:`measure` returns.
    """

    name: str
    images: int
    values: dict


@dataclass
class Verdict:
    """Comparison of one statistic of simulated runs and real sequences.

    Attributes:
        low: Smallest mean of a real sequence.
        high: Largest mean of a real sequence.
        median: Median of the means of the simulated runs.
        inside: Whether the median is between low and high.
        share: Share of the runs whose mean is between low and high, in [0, 1].
    """

    low: float
    high: float
    median: float
    inside: bool
    share: float


def summarize(name: str, images: Iterable[np.ndarray]) -> Sequence:
    """Average the statistics of the images of a sequence.

    Args:
        name: Its name.
        images: ``(H, W, 3)`` uint8 RGB, one or more.

    Returns:
        The means; flat images, which have no slope, are excluded from its
        mean.
    """
    measured = [measure(image) for image in images]
    values = {}
    for key in measured[0]:
        stacked = np.stack([one[key] for one in measured])
        known = ~np.isnan(stacked)
        count = known.sum(axis=0)
        total = np.where(known, stacked, 0).sum(axis=0)
        mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        values[key] = mean if mean.ndim else float(mean)
    return Sequence(name, len(measured), values)


def measure_folder(folder: Path | str) -> Iterator[Sequence]:
    """Measure the sequences in a folder.

    Args:
        folder: Images, or a sub-folder of images for each sequence.

    Yields:
        In natural order of the names.

    Raises:
        FileNotFoundError: If there is no folder or no image.
        ValueError: If an image cannot be read or is too small.
    """
    for run in find_runs(folder):
        images = []
        for frame in run.frames:
            try:
                image, _ = read_rgb(frame.path)
            except ValueError as error:
                raise ValueError(f'{frame.path}: {error}') from error
            if min(image.shape[:2]) < MIN_SIDE:
                raise ValueError(
                    f'{frame.path} is {image.shape[1]}x{image.shape[0]}; '
                    f'images must be at least {MIN_SIDE}x{MIN_SIDE}.'
                )
            images.append(image)
        yield summarize(run.name, images)


def _measure_run(
    run: int, seed: int, frames: int, size: tuple[int, int]
) -> Sequence:
    pipe = PipeRun(seed, run, size)
    # Neighbors are similar: skip some to see more of the pipe.
    return summarize(
        f'run{run:04d}', (pipe.frame(3 * k).image for k in range(frames))
    )


def measure_simulation(
    runs: int,
    frames: int = 4,
    seed: int = 0,
    size: tuple[int, int] = (448, 320),
    workers: int = 1,
) -> Iterator[Sequence]:
    """Measure frames of simulated runs without writing them.

    Args:
        runs: Number of runs, 0 to ``runs - 1``.
        frames: Frames per run: 0, 3, 6 and so on.
        seed: Seed of the simulator.
        size: Width and height, 64 at least.
        workers: Number of processes, which does not affect the results.

    Yields:
        One per run.

    Raises:
        ValueError: If an argument is out of range.
    """
    if min(runs, frames, workers) < 1 or seed < 0:
        raise ValueError(
            'runs, frames and workers must be at least 1 and the seed at '
            f'least 0, not {runs}, {frames}, {workers} and {seed}.'
        )
    if min(size) < MIN_SIDE:
        raise ValueError(
            f'The size must be at least {MIN_SIDE}x{MIN_SIDE}, not '
            f'{size[0]}x{size[1]}.'
        )
    job = partial(_measure_run, seed=seed, frames=frames, size=size)
    if workers == 1:
        yield from map(job, range(runs))
        return
    # OpenCV's and torch's threads do not survive a fork.
    context = get_context('spawn')
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(job, range(runs))


def judge(
    real: list[Sequence], simulated: list[Sequence]
) -> dict[str, Verdict]:
    """Compare simulated runs with the range of the real sequences.

    Args:
        real: All real sequences.
        simulated: The runs.

    Returns:
        One verdict per statistic.
    """
    verdicts = {}
    for key in STATISTICS:
        spread = [sequence.values[key] for sequence in real]
        low, high = float(np.nanmin(spread)), float(np.nanmax(spread))
        values = np.array([run.values[key] for run in simulated])
        median = float(np.nanmedian(values))
        share = float(np.mean((values >= low) & (values <= high)))
        verdicts[key] = Verdict(
            low, high, median, low <= median <= high, share
        )
    return verdicts


def _range(sequences: list[Sequence], key: str) -> str:
    values = [sequence.values[key] for sequence in sequences]
    if len(values) == 1:
        return f'{values[0]:.2f}'
    return (
        f'{np.nanmean(values):.2f} ({np.nanmin(values):.2f}..'
        f'{np.nanmax(values):.2f})'
    )


def _cells(
    groups: dict[str, list[Sequence]], verdicts: dict[str, Verdict] | None
) -> tuple[list[str], list[list[str]]]:
    """Return header and rows: a row per statistic, a column per group."""
    header = ['statistic']
    for name, sequences in groups.items():
        images = sum(sequence.images for sequence in sequences)
        header.append(f'{name} ({len(sequences)} seq., {images} im.)')
    if verdicts:
        header += ['sim. median', 'in real range', 'runs in range']
    rows = []
    for key, title in STATISTICS.items():
        row = [title, *(_range(group, key) for group in groups.values())]
        if verdicts:
            verdict = verdicts[key]
            where = 'yes' if verdict.inside else 'LOW'
            if verdict.median > verdict.high:
                where = 'HIGH'
            row += [
                f'{verdict.median:.2f}',
                where,
                f'{100 * verdict.share:.0f} %',
            ]
        rows.append(row)
    return header, rows


def rich_table(
    groups: dict[str, list[Sequence]],
    verdicts: dict[str, Verdict] | None = None,
) -> Table:
    """Format the statistics for the terminal.

    Args:
        groups: Sequences per group.
        verdicts: Result of :func:`judge`.

    Returns:
        A table with the mean over the sequences (smallest..largest).
    """
    header, rows = _cells(groups, verdicts)
    table = Table(caption='mean over sequences (smallest..largest)')
    for column, title in enumerate(header):
        table.add_column(title, justify='right' if column else 'left')
    for row in rows:
        table.add_row(*row)
    return table


def write_report(
    path: Path,
    groups: dict[str, list[Sequence]],
    verdicts: dict[str, Verdict] | None = None,
) -> None:
    """Write the statistics to a file.

    Args:
        path: ``.md``: the table; ``.csv``: a line per sequence; ``.json``:
            everything, histograms and spectra included.
        groups: Sequences per group.
        verdicts: Of :func:`judge`.

    Raises:
        ValueError: If the suffix is none of these.
    """
    writers = {'.csv': _csv, '.json': _json, '.md': _markdown}
    if path.suffix not in writers:
        raise ValueError(
            f'{path.name} must end in one of {", ".join(FORMATS)}.'
        )
    text = writers[path.suffix](groups, verdicts)
    write_bytes(path, text.encode())


def _markdown(
    groups: dict[str, list[Sequence]], verdicts: dict[str, Verdict] | None
) -> str:
    return markdown_table(*_cells(groups, verdicts)) + '\n'


def _csv(
    groups: dict[str, list[Sequence]], verdicts: dict[str, Verdict] | None
) -> str:
    rows = [
        [
            name,
            sequence.name,
            sequence.images,
            *(f'{sequence.values[key]:.6g}' for key in STATISTICS),
        ]
        for name, sequences in groups.items()
        for sequence in sequences
    ]
    return csv_text(['group', 'sequence', 'images', *STATISTICS], rows)


def _plain(value: object) -> object:
    """Convert a value to JSON types, which do not include NaN."""
    if isinstance(value, np.ndarray):
        return [_plain(one) for one in value.tolist()]
    return None if value != value else value


def _json(
    groups: dict[str, list[Sequence]], verdicts: dict[str, Verdict] | None
) -> str:
    content = dict(
        titles=STATISTICS,
        histogram_edges=np.linspace(0, 255, HISTOGRAM_BINS + 1).tolist(),
        spectrum_frequencies=SPECTRUM_FREQUENCIES.tolist(),
        groups={
            name: [
                dict(
                    name=sequence.name,
                    images=sequence.images,
                    **{k: _plain(v) for k, v in sequence.values.items()},
                )
                for sequence in sequences
            ]
            for name, sequences in groups.items()
        },
    )
    if verdicts:
        content['verdicts'] = {
            key: {k: _plain(v) for k, v in vars(verdict).items()}
            for key, verdict in verdicts.items()
        }
    return json.dumps(content, indent=1, allow_nan=False) + '\n'


def plot(path: Path, groups: dict[str, list[Sequence]]) -> None:
    """Draw the distributions: a panel per statistic, histogram and spectrum.

    Args:
        path: PNG file.
        groups: Sequences per group, whose means are drawn as dots.
    """
    # Without pyplot, no window system is needed.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(18, 13), layout='constrained')
    panels = figure.subplots(4, 5).flat
    for key, title in STATISTICS.items():
        axes = next(panels)
        for place, sequences in enumerate(groups.values()):
            values = [sequence.values[key] for sequence in sequences]
            # Spread horizontally in order, so that no dot hides another.
            aside = np.linspace(-0.25, 0.25, len(values) + 2)[1:-1]
            axes.plot(place + aside, values, '.', color=f'C{place}')
            axes.plot(place, np.nanmedian(values), '_', ms=25, color='k')
        axes.set_xticks(range(len(groups)), list(groups))
        axes.set_xlim(-0.6, len(groups) - 0.4)
        axes.set_title(title)
        axes.grid(axis='y', alpha=0.3)
    centers = (np.arange(HISTOGRAM_BINS) + 0.5) * 255 / HISTOGRAM_BINS
    for key, x, title, draw in (
        ('histogram', centers, 'luminance, share of pixels', 'semilogy'),
        ('spectrum', SPECTRUM_FREQUENCIES, 'power over c/px', 'loglog'),
    ):
        axes = next(panels)
        for place, (name, sequences) in enumerate(groups.items()):
            lines = np.stack([one.values[key] for one in sequences])
            # A share of 0 has no logarithm.
            floor = 1e-5 if key == 'histogram' else 1e-6
            lines = np.maximum(lines, floor)
            known = ~np.isnan(lines).all(axis=0)
            low, middle, high = np.nanpercentile(
                lines[:, known], (0, 50, 100), axis=0
            )
            line = dict(color=f'C{place}', label=name)
            getattr(axes, draw)(x[known], middle, **line)
            fill = dict(color=f'C{place}', alpha=0.15, lw=0)
            axes.fill_between(x[known], low, high, **fill)
        axes.set_title(title)
        axes.legend()
    for axes in panels:
        axes.remove()
    write_figure(path, figure, dpi=80)
