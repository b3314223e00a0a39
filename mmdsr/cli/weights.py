"""List published weights, or show the metadata of one of them."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mmdsr.errors import CheckpointError, said_by
from mmdsr.io.console import plain_console
from mmdsr.weights import available, read_published, weight_path
from mmdsr.weights.index import FOLDER


def parse_args(
    argv: Sequence[str] | None = None, prog: str | None = None
) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog='tools/model_converters/publish.py publishes the weights of a '
        'training.',
    )
    parser.add_argument(
        'weights',
        nargs='?',
        metavar='NAME|FILE',
        help='show the metadata of these weights (default: list those in '
        '--folder)',
    )
    parser.add_argument(
        '--folder',
        type=Path,
        default=FOLDER,
        help='folder with an index.json (default: the one of the package)',
    )
    return parser.parse_args(argv)


def list_all(folder: Path, console: Console) -> None:
    """Print a table of the weights in a folder."""
    if not folder.is_dir():
        raise FileNotFoundError(f'There is no folder {folder}.')
    table = Table('name', 'network', 'parameters', 'MB')
    for name in available(folder):
        path = weight_path(name, folder)
        meta = read_published(path).meta
        table.add_row(
            name,
            meta['generator']['type'],
            f'{meta["parameters"]:,}',
            f'{path.stat().st_size / 1e6:.1f}',
        )
    console.print(table)
    console.print(f'in {folder}')


def describe(weights: str, folder: Path, console: Console) -> None:
    """Print the metadata of published weights."""
    meta = dict(read_published(weights, folder).meta)
    # The text is a page long.
    meta.pop('config', None)
    console.print_json(json.dumps(meta))


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command; return the exit code."""
    args = parse_args(argv, prog)
    console = plain_console()
    try:
        if args.weights is None:
            list_all(args.folder, console)
        else:
            describe(args.weights, args.folder, console)
    except (OSError, CheckpointError) as error:
        print(f'Error: {said_by(error)}', file=sys.stderr)
        return 2
    return 0
