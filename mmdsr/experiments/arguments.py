"""Arguments that the experiments' command lines share."""

import sys
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from rich.console import Console

from mmdsr.engine.options import add_options_argument
from mmdsr.errors import UsageError


def positive(text: str) -> int:
    """Parse a positive whole number.

    Args:
        text: Of the command line.

    Returns:
        The number.

    Raises:
        ValueError: If it is none.
    """
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def add_run_arguments(parser: ArgumentParser) -> None:
    """Add what says how a set of runs is done.

    Args:
        parser: Gets ``--seeds``, ``--jobs`` and ``--cfg-options``.
    """
    parser.add_argument(
        '--seeds', nargs='+', type=int, default=[0, 1, 2], metavar='SEED'
    )
    parser.add_argument(
        '--jobs',
        type=positive,
        default=1,
        help='runs at a time; they share the cores (default: 1)',
    )
    add_options_argument(
        parser,
        'override values of all configs',
    )


def run_experiment(
    parser: ArgumentParser, experiment: Callable[..., Any], done: str
) -> None:
    """Run an experiment and end as a command does.

    The exit status is 2 if something is missing or does not fit, 1 if runs
    failed, and 130 after Ctrl-C, as a shell reports it.

    Args:
        parser: Ends the process with a message.
        experiment: Takes a ``rich.console.Console`` and returns the runs.
        done: What is said at the end.
    """
    try:
        runs = experiment(Console())
    except (UsageError, FileNotFoundError, ValueError) as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')
    except KeyboardInterrupt:
        parser.exit(130, 'Stopped. Repeat the command to resume.\n')
    print(done)
    failed = [run for run in runs if run.error]
    if failed:
        print(f'{len(failed)} of {len(runs)} runs failed:', file=sys.stderr)
        for run in failed:
            print(f'  {run.title}: {run.error}', file=sys.stderr)
        sys.exit(1)
