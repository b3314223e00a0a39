"""The report of an experiment: ``table.md``, ``table.csv``, ``table.json``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdsr.experiments.runs import TrainingRun
from mmdsr.io.files import write_bytes
from mmdsr.io.reports import write_json


def heading(
    title: str, origin: Mapping[str, object], notes: Sequence[str] = ()
) -> list[str]:
    """Return the heading of a table.

    Args:
        title: Title.
        origin: How the numbers were made, in the order to print.
        notes: Notes on them.

    Returns:
        Lines, the last one empty.
    """
    lines = [f'# {title}', '', *(f'- {k}: {v}' for k, v in origin.items())]
    return [*lines, *(f'- {note}' for note in notes), '']


def write_report(
    out: Path | str,
    head: list[str],
    markdown: str,
    csv: str,
    content: dict[str, Any],
    runs: Sequence[TrainingRun],
) -> None:
    """Write the three files.

    Args:
        out: Folder.
        head: Result of :func:`heading`.
        markdown: The tables as Markdown.
        csv: The tables as CSV.
        content: Further content of the JSON file.
        runs: All runs, whose results are in the JSON file.
    """
    out = Path(out)
    text = '\n'.join([*head, markdown]).rstrip('\n') + '\n'
    write_bytes(out / 'table.md', text.encode())
    write_bytes(out / 'table.csv', csv.encode())
    results = [
        dict(
            title=run.title,
            row=run.row,
            seed=run.seed,
            error=run.error,
            results=run.results,
        )
        for run in runs
    ]
    write_json(out / 'table.json', dict(**content, runs=results))
