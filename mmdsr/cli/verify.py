"""Check results of "mmdsr enhance" against their records and their source."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from mmdsr.errors import EvidenceError, said_by
from mmdsr.evidence.sidecar import result_of
from mmdsr.evidence.verify import STATES, Verdict, verify, verify_folder
from mmdsr.recording.missing import missing_result, missing_results

_STYLES = {
    'renamed': 'yellow',
    'incomplete': 'yellow',
    'no record': 'yellow',
    'different': 'red',
}


def parse_args(
    argv: Sequence[str] | None = None, prog: str | None = None
) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog='The exit code is 0 if everything is as recorded, 1 if '
        'something differs, is missing or was renamed, 2 if there is nothing '
        'to check. See docs/evidence.md.',
    )
    parser.add_argument(
        'result', metavar='OUT', type=Path, help='a result, or a folder'
    )
    parser.add_argument(
        '--source',
        metavar='IN',
        type=Path,
        help='also compare the source: the file, or the folder that contains '
        'it',
    )
    return parser.parse_args(argv)


def check(args: argparse.Namespace) -> list[Verdict]:
    """Check the files that the options name.

    Args:
        args: Options from :func:`parse_args`.

    Raises:
        FileNotFoundError: If there is nothing to check.
        EvidenceError: If the file is a side-car or confidence file.
    """
    if args.source is not None and not args.source.exists():
        raise FileNotFoundError(f'There is no source {args.source}.')
    if args.result.is_dir():
        missing = list(missing_results(args.result))
        try:
            return [*verify_folder(args.result, args.source), *missing]
        except FileNotFoundError:
            # Without any result, those that a report lists are missing.
            if not missing:
                raise
            return missing
    result = result_of(args.result)
    if result is not None:
        kind = 'side-car' if args.result.suffix == '.json' else 'confidence'
        raise EvidenceError(
            f'{args.result} is the {kind} of {result}: check {result}, which '
            'includes it.'
        )
    try:
        return [verify(args.result, args.source)]
    except FileNotFoundError:
        missing = missing_result(args.result)
        if not missing:
            raise
        return missing


def show(verdicts: Sequence[Verdict], console: Console) -> None:
    """Print a table, one row for each result.

    Args:
        verdicts: The verdicts.
        console: Where to print.
    """
    table = Table(
        Column('result', overflow='fold'),
        Column('made', no_wrap=True),
        'reference',
        'seen',
        Column('verdict', overflow='fold'),
    )
    for verdict in verdicts:
        cells = [verdict.name, *_recorded(verdict), _outcome(verdict)]
        table.add_row(
            *(escape(_printable(cell)) for cell in cells),
            style=_STYLES.get(verdict.state),
        )
    console.print(table)


def _recorded(verdict: Verdict) -> tuple[str, str, str]:
    """Return the table cells of a record; empty if it is not trusted."""
    record = verdict.record
    if record is None or verdict.state == 'different':
        return '', '', ''
    frames, seen, reference = record.frames, '', ''
    if frames:
        shares = [f.seen for f in frames if f.seen is not None]
        seen = 'not known'
        if shares:
            seen = f'{sum(shares) / len(shares):.0%}'
        names = {frame.reference.name or 'none' for frame in frames}
        reference = (
            names.pop() if len(names) == 1 else f'{len(names)} different'
        )
    return record.created, reference, seen


def _outcome(verdict: Verdict) -> str:
    """Return the text of the verdict."""
    if verdict.problems:
        return '\n'.join([verdict.state.upper(), *verdict.problems])
    if verdict.source_checked:
        return verdict.state
    return f'{verdict.state}; source not compared'


def _summary(verdicts: Sequence[Verdict]) -> str:
    """Return the counts."""
    counts = Counter(verdict.state for verdict in verdicts)
    more = ', '.join(
        f'{counts[state]} {state}' for state in STATES[1:] if counts[state]
    )
    return (
        f'{counts[STATES[0]]} of {len(verdicts)} results are as recorded'
        f'{more and f" ({more})"}.'
    )


def _printable(text: str) -> str:
    """Replace characters that would control a terminal."""
    return ''.join(c if c.isprintable() or c == '\n' else '?' for c in text)


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command; return the exit code."""
    args = parse_args(argv, prog)
    console = Console(emoji=False, highlight=False)
    try:
        verdicts = check(args)
    except (OSError, EvidenceError) as error:
        print(f'Error: {said_by(error)}', file=sys.stderr)
        return 2
    if not any(verdict.record or verdict.listed for verdict in verdicts):
        first = verdicts[0]
        more = ''
        if first.state == 'no record':
            more = (
                ': it was not written by "mmdsr enhance", or its record was '
                'removed'
            )
        print(
            f'Error: There is no record of {_printable(str(args.result))} '
            f'that can be read ({_printable("; ".join(first.problems))})'
            f'{more}.',
            file=sys.stderr,
        )
        return 2
    show(verdicts, console)
    console.print(_summary(verdicts))
    return 1 if any(verdict.problems for verdict in verdicts) else 0
