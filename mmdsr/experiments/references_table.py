"""Table of what references and depth contribute."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.table import Table

from mmdsr.evaluation.match_accuracy import THRESHOLDS
from mmdsr.experiments.report import heading
from mmdsr.io.files import write_bytes
from mmdsr.io.reports import markdown_table, write_json


@dataclass
class Row:
    """One line of the table.

    Args:
        name: What was evaluated.
        reference: Reference; ``None`` for bicubic, ``'none'`` for a network
            without a reference.
        depth: Depth source, ``None`` if none is used.
        samples: Number of images; 0 if it could not be evaluated.
        psnr_y: Mean PSNR-Y in dB.
        ssim_y: Mean SSIM-Y.
        psnr_rgb: Mean PSNR-RGB in dB.
        gain: PSNR-Y over bicubic in dB.
        note: Why it could not be evaluated.
        moving: Number of images of a moving camera.
        gain_moving: Gain on these images.
        resting: Number of images of a camera at rest, whose reference shows
            the same picture.
        gain_resting: Gain on these images.
        match: Accuracy of the match, see
            :func:`mmdsr.evaluation.match_accuracy.match_accuracy`, where the
            truth is known.
    """

    name: str
    reference: str | None = None
    depth: str | None = None
    samples: int = 0
    psnr_y: float | None = None
    ssim_y: float | None = None
    psnr_rgb: float | None = None
    gain: float | None = None
    note: str = ''
    moving: int = 0
    gain_moving: float | None = None
    resting: int = 0
    gain_resting: float | None = None
    match: dict[str, float] | None = None


#: In dB, except for SSIM; gains are those of PSNR-Y over bicubic.
_HEADER = ['', 'PSNR-Y', 'SSIM-Y', 'PSNR-RGB', 'gain', 'moving', 'resting']
#: In percent, and LR pixels.
_MATCH_HEADER = ['match', *(f'<= {t:g} px' for t in THRESHOLDS), 'median']
_NOTE = (
    'Gain: PSNR-Y over bicubic on all images, on those of a moving camera, '
    'and on those of one at rest (the unaligned reference is closer to the '
    'truth than bicubic).'
)
_MATCH_NOTE = (
    'Match: percentage of the LR pixels visible in the reference that are '
    'found within a distance in LR pixels, and the median error.'
)


def _gain(value: float | None) -> str:
    return '-' if value is None else f'{value:+.2f}'


def _cells(row: Row) -> list[str]:
    if row.psnr_y is None:
        return [row.name, *'------']
    return [
        row.name,
        f'{row.psnr_y:.2f}',
        f'{row.ssim_y:.4f}',
        f'{row.psnr_rgb:.2f}',
        _gain(row.gain),
        _gain(row.gain_moving),
        _gain(row.gain_resting),
    ]


def _match_cells(row: Row) -> list[str]:
    *shares, median = (row.match or {}).values()
    return [row.name, *(f'{v:.1f}' for v in shares), f'{median:.2f}']


def _reasons(rows: Sequence[Row]) -> list[str]:
    return [f'{row.name}: {row.note}' for row in rows if row.psnr_y is None]


def _counts(rows: Sequence[Row]) -> str:
    row = rows[0]
    return f'{row.samples} images, {row.moving} moving, {row.resting} at rest'


def _fill_table(
    table: Table, header: Sequence[str], lines: Iterable[Sequence[str]]
) -> Table:
    for column, title in enumerate(header):
        # In a narrow terminal, names are wrapped, numbers are not.
        table.add_column(
            title, justify='right' if column else 'left', no_wrap=column > 0
        )
    for cells in lines:
        table.add_row(*cells)
    return table


def rich_table(name: str, rows: list[Row]) -> Table:
    """Format the rows for the terminal.

    Args:
        name: Name of the data set.
        rows: Of :func:`mmdsr.experiments.compare_references.evaluate`.

    Returns:
        The table.
    """
    title = f'{name} ({_counts(rows)})'
    caption = '\n'.join(_reasons(rows)) or None
    table = Table(title=title, caption=caption)
    return _fill_table(table, _HEADER, map(_cells, rows))


def match_table(name: str, rows: list[Row]) -> Table | None:
    """Format the accuracy of the match for the terminal.

    Args:
        name: Name of the data set.
        rows: Of :func:`mmdsr.experiments.compare_references.evaluate`.

    Returns:
        The table; ``None`` if the true flow is not known, or nothing was
        matched.
    """
    lines = [_match_cells(row) for row in rows if row.match]
    if not lines:
        return None
    return _fill_table(Table(title=f'{name}: match'), _MATCH_HEADER, lines)


def write_results(
    out: Path | str, results: dict[str, list[Row]], origin: dict[str, str]
) -> None:
    """Write ``results.json`` and ``results.md``.

    Args:
        out: Folder.
        results: Rows per data set.
        origin: Origin of the results, such as config and checkpoint.
    """
    content = dict(
        **origin,
        results={
            name: [asdict(row) for row in rows]
            for name, rows in results.items()
        },
    )
    lines = [*heading('Results', origin), _NOTE]
    for name, rows in results.items():
        lines += ['', f'## {name} ({_counts(rows)})', '']
        lines += [markdown_table(_HEADER, map(_cells, rows))]
        lines += ['', *_reasons(rows)] if _reasons(rows) else []
        matched = [_match_cells(row) for row in rows if row.match]
        if matched:
            table = markdown_table(_MATCH_HEADER, matched)
            lines += ['', _MATCH_NOTE, '', table]
    out = Path(out)
    write_json(out / 'results.json', content)
    write_bytes(out / 'results.md', ('\n'.join(lines) + '\n').encode())
