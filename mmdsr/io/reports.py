"""Results as files: tables, JSON and figures, each whole or absent."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdsr.io.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def markdown_table(
    header: Sequence[str], rows: Iterable[Sequence[str]]
) -> str:
    """Lay out a table as Markdown.

    Args:
        header: Titles of the columns.
        rows: Cells; all columns but the first are aligned to the right.

    Returns:
        The lines of the table, without a last line break.
    """
    rule = ['---', *['---:'] * (len(header) - 1)]
    return '\n'.join(f'| {" | ".join(c)} |' for c in (header, rule, *rows))


def csv_text(header: Sequence[str], rows: Iterable[Sequence]) -> str:
    """Lay out a table as CSV.

    Args:
        header: Titles of the columns.
        rows: Cells; None becomes an empty one.

    Returns:
        The text.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator='\n')
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file.

    Args:
        path: Target.
        content: Contents.
    """
    write_bytes(path, f'{json.dumps(content, indent=2)}\n'.encode())


def write_figure(path: Path, figure: 'Figure', dpi: int = 120) -> None:
    """Write a figure.

    Args:
        path: PNG file.
        figure: Made without pyplot, so that no window system is asked for.
        dpi: Pixels per inch. Defaults to 120.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png', dpi=dpi)
    write_bytes(path, buffer.getvalue())
