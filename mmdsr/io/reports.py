"""Results as files: tables, JSON and figures, each whole or absent."""

import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdsr.io.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


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
    sides = ['left', *['right'] * (len(header) - 1)]
    # Cells are text already: 31.20 must not become 31.2.
    return _frame(header, rows).to_markdown(
        index=False, colalign=sides, disable_numparse=True
    )


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Lay out a table as CSV.

    Args:
        header: Titles of the columns.
        rows: Cells; None and NaN become empty ones.

    Returns:
        The text.
    """
    return _frame(header, rows).to_csv(index=False, lineterminator='\n')


def _frame(
    header: Sequence[str], rows: Iterable[Sequence[Any]]
) -> 'DataFrame':
    # Here, for it takes half a second that most commands need not spend.
    from pandas import DataFrame

    # As objects: whole numbers stay whole beside an empty cell.
    return DataFrame(list(rows), columns=list(header), dtype=object)


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
