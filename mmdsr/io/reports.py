"""Write tables, JSON and figures so that they are complete or absent."""

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
    """Format a table as Markdown.

    Args:
        header: Titles of the columns.
        rows: Cells; all columns except the first are right-aligned.

    Returns:
        The lines of the table, without a last line break.
    """
    sides = ['left', *['right'] * (len(header) - 1)]
    # Cells are already text: 31.20 must not become 31.2.
    return _frame(header, rows).to_markdown(
        index=False, colalign=sides, disable_numparse=True
    )


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Format a table as CSV.

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
    # Imported here, as it takes half a second that most commands can save.
    from pandas import DataFrame

    # As objects, so that integers remain integers beside an empty cell.
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
        figure: Figure created without pyplot, so that no window system is
            needed.
        dpi: Pixels per inch. Defaults to 120.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png', dpi=dpi)
    write_bytes(path, buffer.getvalue())
