"""The annotation table of Sewer-ML (Haurum and Moeslund, CVPR 2021)."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mmdsr.io.files import write_bytes

CLASSES = {
    'RB': 'cracks, breaks and collapses',
    'OB': 'surface damage',
    'PF': 'production error',
    'DE': 'deformation',
    'FS': 'displaced joint',
    'IS': 'intruding sealing material',
    'RO': 'roots',
    'IN': 'infiltration',
    'AF': 'settled deposits',
    'BE': 'attached deposits',
    'FO': 'obstacle',
    'GR': 'branch pipe',
    'PH': 'chiseled connection',
    'PB': 'drilled connection',
    'OS': 'lateral reinstatement cuts',
    'OP': 'connection with transition profile',
    'OK': 'connection with construction changes',
}
"""The 17 classes of the benchmark and what they mean. VA, the water level, is
not a class, and ND, normal, is the absence of all."""

HEADER = ('Filename', 'WaterLevel', 'VA', *CLASSES, 'ND', 'Defect')
"""Columns of the official files, in their order."""

CIW = {
    'RB': 1.0000,
    'OB': 0.5518,
    'PF': 0.2896,
    'DE': 0.1622,
    'FS': 0.6419,
    'IS': 0.1847,
    'RO': 0.3559,
    'IN': 0.3131,
    'AF': 0.0811,
    'BE': 0.2275,
    'FO': 0.2477,
    'GR': 0.0901,
    'PH': 0.4167,
    'PB': 0.4167,
    'OS': 0.9009,
    'OP': 0.3829,
    'OK': 0.4396,
}
"""Class importance weights, the weights of the benchmark's F2-CIW."""

LABEL_SETS = {
    '17': tuple(CLASSES),
    # Tables 7 to 9 of the DSRNet paper omit two of them.
    '15': tuple(code for code in CLASSES if code not in ('PB', 'OS')),
    'defect': ('Defect',),
}
"""Columns that make a label vector, by the name of the set."""


def read_rows(path: str | Path) -> Iterator[dict[str, str]]:
    """Read a table row by row.

    Args:
        path: A CSV file with the columns of :data:`HEADER` in any order;
            further columns are ignored.

    Yields:
        Text of each column; the classes and ``Defect`` have ``'0'`` or
        ``'1'``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is missing, a row has too few or too many
            values, a label is not 0 or 1, or a name is empty or repeated.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'There is no file {path}.')
    labels = (*CLASSES, 'Defect')
    seen = set()
    # Spreadsheets write a byte order mark, which is not part of the first
    # name.
    with path.open(newline='', encoding='utf-8-sig') as file:
        try:
            rows = csv.DictReader(file)
            lacking = [c for c in HEADER if c not in (rows.fieldnames or ())]
            if lacking:
                raise ValueError(
                    f'{path} has no column {", ".join(lacking)}. It must '
                    f'start with the line {",".join(HEADER)}'
                )
            for row in rows:
                name = row['Filename']
                where = f'{path}, line {rows.line_num}'
                if None in row or None in row.values():
                    raise ValueError(f'{where}: too few or too many values.')
                if not name or name in seen:
                    raise ValueError(
                        f'{where}: the file name {name!r} is empty or a '
                        'duplicate.'
                    )
                seen.add(name)
                for column in labels:
                    if row[column] not in ('0', '1'):
                        raise ValueError(
                            f'{where}: {column} is {row[column]!r}, not 0 '
                            'or 1.'
                        )
                yield row
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f'{path} is not a CSV file: {error}.') from error


def write_rows(path: str | Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write a table in the official form.

    Args:
        path: The file, which is written completely or not at all.
        rows: Value of each column, as returned by :func:`read_rows`.
    """
    text = io.StringIO()
    writer = csv.DictWriter(
        text, HEADER, extrasaction='ignore', lineterminator='\n'
    )
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(Path(path), text.getvalue().encode())
