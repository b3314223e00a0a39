"""Simulate sewer camera runs as a data set for training and testing."""

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mmdsr.sim import generate_dataset


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', type=Path, help='root of the new data set')
    parser.add_argument(
        '--runs', type=int, default=16, help='camera runs (default 16)'
    )
    parser.add_argument(
        '--frames',
        type=int,
        default=24,
        help='samples per run (default 24); the reference of each is the '
        'next frame',
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(448, 320),
        metavar=('W', 'H'),
        help='size of hr and ref, multiples of 4 (default 448 320)',
    )
    parser.add_argument('--seed', type=int, default=0, help='default 0')
    parser.add_argument(
        '--workers',
        type=int,
        default=max(1, min(os.cpu_count() or 1, 16)),
        help='processes (default: one per core); the frames do not depend '
        'on it',
    )
    parser.add_argument(
        '--test-runs',
        type=int,
        help='the last runs make the test split (default: an eighth, at '
        'least one)',
    )
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='replace a data set made with other settings',
    )
    return parser.parse_args()


def main() -> int:
    """Run the tool; returns the exit code."""
    args = parse_args()
    console = Console(stderr=True)
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=console) as bar:
            task = bar.add_task('samples', total=None)
            made = generate_dataset(
                args.out,
                args.runs,
                args.frames,
                tuple(args.size),
                args.seed,
                args.workers,
                args.test_runs,
                args.overwrite,
                lambda done, total: bar.update(
                    task, completed=done, total=total
                ),
            )
            bar.update(task, visible=made)
    except (ValueError, OSError) as error:
        print(f'make_sewersim: {error}', file=sys.stderr)
        return 2
    except RuntimeError as error:
        print(f'make_sewersim: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            'make_sewersim: interrupted; the same command goes on from here',
            file=sys.stderr,
        )
        return 130
    if made:
        print(f'{args.out}: {args.runs} runs of {args.frames} samples')
    else:
        print(f'{args.out} holds this data set already, nothing to do')
    return 0


if __name__ == '__main__':
    sys.exit(main())
