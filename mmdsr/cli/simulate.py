"""Make a data set of simulated sewer camera runs, or check one.

Named data sets, each with its train and test split:

  sewersim-sr    448x320  super-resolution: LR, HR, reference, depth
  sewersim-pipe  256x256  segmentation and detection: JO, IL, IN
  sewersim-ml    352x288  multi-label classification: Sewer-ML's classes

Repeat an interrupted command to resume it.
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mmdsr.io.checksums import verify
from mmdsr.io.console import plain_console
from mmdsr.settings import Settings, setting
from mmdsr.sim.data.dataset import write_dataset
from mmdsr.sim.data.splits import (
    DEGRADATIONS,
    NAMED,
    SUBSETS,
    Plan,
    plan_custom,
    plan_named,
)
from mmdsr.sim.trace.motion import STEPS


@dataclass(frozen=True)
class _Custom(Settings):
    """Size of a custom data set."""

    runs: int = setting(16, 'camera runs (default %(default)s)')
    frames: int = setting(
        24,
        'samples per run (default %(default)s); the reference of each is the '
        'next frame',
    )
    size: tuple[int, int] = setting(
        (448, 320),
        'size of hr and ref, multiples of 4 (default %(default)s)',
        metavar=('W', 'H'),
    )
    test_runs: int | None = setting(
        None,
        'number of runs, the last ones, in the test split (default: an '
        'eighth, at least one)',
    )


def parse_args(
    argv: Sequence[str] | None = None, prog: str | None = None
) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('out', type=Path, help='root of the data set')
    parser.add_argument(
        '--name',
        choices=('custom', *NAMED),
        default='custom',
        help='which data set (default custom: super-resolution with --runs, '
        '--frames, --size and --test-runs)',
    )
    parser.add_argument(
        '--subset',
        choices=SUBSETS,
        help='part of a named data set: full (default), or mini, its '
        'beginning',
    )
    parser.add_argument('--seed', type=int, default=0, help='default 0')
    parser.add_argument(
        '--workers',
        type=int,
        default=max(1, min(os.cpu_count() or 1, 16)),
        help='number of processes (default: one per core); it does not '
        'change the files',
    )
    parser.add_argument(
        '--degradation',
        choices=DEGRADATIONS,
        default='bicubic',
        help='how the low-resolution images are made (default bicubic; '
        'realistic adds blur, noise and compression)',
    )
    parser.add_argument(
        '--steps',
        choices=STEPS,
        help='distance that the camera moves between frames: even; spread, '
        'from neighbors in a video to stills far apart; or video (default: '
        'spread in sewersim-sr, otherwise even)',
    )
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='replace a data set made with other settings',
    )
    parser.add_argument(
        '--verify',
        action='store_true',
        help='only compare the data set with its checksums',
    )
    _Custom.add_to(parser.add_argument_group('custom data sets'))
    args = parser.parse_args(argv)
    if args.name == 'custom':
        if args.subset is not None:
            parser.error('--subset needs a named data set: add --name')
    else:
        given = [
            name
            for name in _Custom.option_names()
            if getattr(args, name) is not None
        ]
        if given:
            options = ', '.join('--' + key.replace('_', '-') for key in given)
            parser.error(
                f'{options}: only for custom data sets, not for {args.name}'
            )
    return args


def plan_of(args: argparse.Namespace) -> Plan:
    """Return the plan of the data set described by the arguments."""
    if args.name != 'custom':
        return plan_named(
            args.name,
            args.subset or 'full',
            args.seed,
            args.degradation,
            args.steps,
        )
    return plan_custom(
        seed=args.seed,
        degradation=args.degradation,
        steps=args.steps or 'even',
        **_Custom.read(args).as_dict(),
    )


def progress_bar() -> Progress:
    """Return a progress bar that shows numbers and times."""
    return Progress(
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=plain_console(stderr=True),
    )


def make(args: argparse.Namespace) -> int:
    """Make a data set; return the exit code."""
    plan = plan_of(args)
    with progress_bar() as bar:
        task = bar.add_task('samples', total=None)
        made = write_dataset(
            args.out,
            plan,
            args.workers,
            args.overwrite,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
        bar.update(task, visible=made)
    if made:
        print(
            f'{args.out}: {plan.settings["name"]}, {plan.total} samples of '
            f'{len(plan.runs)} runs'
        )
    else:
        print(f'{args.out} already holds this data set: nothing to do')
    return 0


def check(args: argparse.Namespace) -> int:
    """Compare a data set with its checksums; return the exit code."""
    with progress_bar() as bar:
        task = bar.add_task('files', total=None)
        problems = verify(
            args.out,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    if not problems:
        print(f'{args.out}: every file is unchanged')
        return 0
    for problem in problems:
        print(problem)
    kinds = Counter(problem.split(':')[0] for problem in problems)
    counts = ', '.join(f'{count} {kind}' for kind, count in kinds.items())
    return fail(f'{args.out}: {counts}', 1)


def fail(message: object, code: int) -> int:
    """Print what went wrong; return the exit code."""
    print(f'Error: {message}', file=sys.stderr)
    return code


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command; return the exit code."""
    args = parse_args(argv, prog)
    try:
        return check(args) if args.verify else make(args)
    except (ValueError, OSError, ImportError) as error:
        return fail(error, 2)
    except RuntimeError as error:
        return fail(error, 1)
    except KeyboardInterrupt:
        more = '' if args.verify else '; repeat the command to resume'
        return fail(f'interrupted{more}', 130)
