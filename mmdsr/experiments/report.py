"""The report of an experiment: ``table.md``, ``table.csv``, ``table.json``."""

from pathlib import Path

from mmdsr.io.files import write_bytes
from mmdsr.io.reports import write_json


def heading(title, origin, notes=()):
    """Write what stands above a table.

    Args:
        title (str): Title.
        origin (dict[str, object]): How the numbers were made, in the order
            to print.
        notes (Sequence[str]): What has to be known about them.

    Returns:
        list[str]: Lines, the last one empty.
    """
    lines = [f'# {title}', '', *(f'- {k}: {v}' for k, v in origin.items())]
    return [*lines, *(f'- {note}' for note in notes), '']


def write_report(out, head, markdown, csv, content, runs):
    """Write the three files.

    Args:
        out (str or Path): Folder.
        head (list[str]): Of :func:`heading`.
        markdown (str): The tables as Markdown.
        csv (str): The tables as CSV.
        content (dict): Everything else for JSON.
        runs (Sequence[TrainingRun]): All runs; the JSON file has their
            results.
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
