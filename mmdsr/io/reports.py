"""Results as files: tables, JSON and figures, each whole or absent."""

import csv
import io
import json

from mmdsr.io.files import write_bytes


def markdown_table(header, rows):
    """Lay out a table as Markdown.

    Args:
        header (Sequence[str]): Titles of the columns.
        rows (Iterable[Sequence[str]]): Cells; all columns but the first are
            aligned to the right.

    Returns:
        str: The lines of the table, without a last line break.
    """
    rule = ['---', *['---:'] * (len(header) - 1)]
    return '\n'.join(f'| {" | ".join(c)} |' for c in (header, rule, *rows))


def csv_text(header, rows):
    """Lay out a table as CSV.

    Args:
        header (Sequence[str]): Titles of the columns.
        rows (Iterable[Sequence]): Cells; None becomes an empty one.

    Returns:
        str: The text.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator='\n')
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()


def write_json(path, content):
    """Write a JSON file.

    Args:
        path (Path): Target.
        content (dict): Contents.
    """
    write_bytes(path, f'{json.dumps(content, indent=2)}\n'.encode())


def write_figure(path, figure, dpi=120):
    """Write a figure.

    Args:
        path (Path): PNG file.
        figure (matplotlib.figure.Figure): Made without pyplot, so that no
            window system is asked for.
        dpi (int): Pixels per inch. Defaults to 120.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png', dpi=dpi)
    write_bytes(path, buffer.getvalue())
