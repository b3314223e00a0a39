"""Try mutated files of all kinds and count those handled incorrectly.

Example:
    python tools/dev/fuzz.py --count 3000 --out fuzz.json --keep faults
    python tools/dev/fuzz.py images videos --count 500

Inputs are reproducible: each depends only on its kind and number. After an
interruption, the same command resumes from the results in ``--out``. The exit
code is 1 if an input caused a raw error, killed the process or left a partial
file.
"""

import argparse
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from mmdsr.dev.fuzz import FAULTS, OUTCOMES, fuzz
from mmdsr.dev.kinds import KINDS


def parse_args(argv: Sequence[str] | None = None) -> Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        'kinds',
        nargs='*',
        metavar='KIND',
        help=f'{", ".join(KINDS)} (default: all)',
    )
    parser.add_argument(
        '--count', type=int, default=2500, help='number of inputs of each kind'
    )
    parser.add_argument('--out', type=Path, help='JSON file of the result')
    parser.add_argument(
        '--keep', type=Path, help='folder for the inputs that are faults'
    )
    args = parser.parse_args(argv)
    unknown = [kind for kind in args.kinds if kind not in KINDS]
    if unknown or args.count < 1:
        parser.error(
            f'there is no kind {", ".join(unknown)}'
            if unknown
            else '--count must be >= 1'
        )
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run; return the exit code."""
    args = parse_args(argv)
    kinds = args.kinds or list(KINDS)
    console = Console()
    with Progress(console=Console(stderr=True)) as bars:
        bar = bars.add_task('', total=args.count)

        def show(kind: str, counts: dict[str, int]) -> None:
            bars.update(bar, description=kind, completed=counts['tried'])

        result = fuzz(kinds, args.count, args.out, args.keep, show)
    columns = ('tried', *OUTCOMES)
    table = Table('kind', *columns)
    for kind, counts in result.items():
        table.add_row(kind, *(str(counts[name]) for name in columns))
    console.print(table)
    faults = [
        fault for counts in result.values() for fault in counts['faults']
    ]
    return 1 if any(fault['outcome'] in FAULTS for fault in faults) else 0


if __name__ == '__main__':
    sys.exit(main())
