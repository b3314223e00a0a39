"""Check results of "mmdsr enhance" against their records and their source."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mmdsr.errors import said_by
from mmdsr.evidence.verify import Verdict, verify, verify_folder


def parse_args(
    argv: Sequence[str] | None = None, prog: str | None = None
) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog='The exit code is 0 if all is as recorded, 1 if something '
        'differs, 2 if there is nothing to check. See docs/evidence.md.',
    )
    parser.add_argument(
        'result', metavar='OUT', type=Path, help='a result, or a folder'
    )
    parser.add_argument(
        '--source',
        metavar='IN',
        type=Path,
        help='what it was made of, to be compared as well: the file, or the '
        'folder that holds it',
    )
    return parser.parse_args(argv)


def check(args: argparse.Namespace) -> Iterable[Verdict]:
    """Check what the options name.

    Args:
        args: Of :func:`parse_args`.

    Raises:
        FileNotFoundError: If there is nothing to check.
    """
    if args.source is not None and not args.source.exists():
        raise FileNotFoundError(f'There is no source {args.source}.')
    if args.result.is_dir():
        return verify_folder(args.result, args.source)
    return [verify(args.result, args.source)]


def show(verdicts: Sequence[Verdict], console: Console) -> None:
    """Print a table, one row for each result.

    Args:
        verdicts: What was found.
        console: Where to.
    """
    table = Table('result', 'made', 'reference', 'seen', 'verdict')
    for verdict in verdicts:
        record, seen, made, reference = verdict.record, '', '', ''
        if record is not None:
            made = record.created
            frames = record.frames
            if frames:
                shares = [f.seen for f in frames if f.seen is not None]
                seen = 'not known'
                if shares:
                    seen = f'{sum(shares) / len(shares):.0%}'
            names = {frame.reference.name or 'none' for frame in frames}
            reference = names.pop() if len(names) == 1 else f'{len(names)}'
        good = 'as recorded'
        if not verdict.source_checked:
            good += '; source not compared'
        said = '\n'.join(verdict.problems) or good
        cells = verdict.name, made, reference, seen, said
        style = 'red' if verdict.problems else None
        table.add_row(
            *(escape(_printable(cell)) for cell in cells), style=style
        )
    console.print(table)


def _printable(text: str) -> str:
    """Leave nothing that would steer a terminal."""
    return ''.join(c if c.isprintable() or c == '\n' else '?' for c in text)


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run; return the exit code."""
    args = parse_args(argv, prog)
    console = Console()
    try:
        verdicts = list(check(args))
    except OSError as error:
        print(f'Error: {said_by(error)}', file=sys.stderr)
        return 2
    if not any(verdict.record for verdict in verdicts):
        first = verdicts[0]
        reason = first.problems[-1] if first.problems else 'no record'
        print(
            f'Error: There is no record of {_printable(str(args.result))} '
            f'that can be read ({_printable(reason)}): it was not written by '
            '"mmdsr enhance", or its record is gone.',
            file=sys.stderr,
        )
        return 2
    show(verdicts, console)
    bad = sum(bool(verdict.problems) for verdict in verdicts)
    console.print(
        f'{len(verdicts) - bad} of {len(verdicts)} results are as recorded.',
        highlight=False,
    )
    return 1 if bad else 0
