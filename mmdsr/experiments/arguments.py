"""Arguments that the experiments' command lines share."""

import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any

from mmdsr.errors import UsageError, said_by
from mmdsr.io.console import plain_console


def _whole(least: int) -> Callable[[str], int]:
    """Return a parser of whole numbers of at least ``least``."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise ArgumentTypeError(
                f'{text!r} is not a whole number of at least {least}'
            )
        return number

    return parse


#: Types of arguments: whole numbers above zero, and those from zero.
positive, not_negative = _whole(1), _whole(0)


def run_experiment(
    parser: ArgumentParser, experiment: Callable[..., Any], done: str
) -> None:
    """Run an experiment and exit with the status of a command.

    The exit status is 2 if something is missing or does not fit, 1 if runs
    failed, and 130 after Ctrl-C, as a shell reports it.

    Args:
        parser: Parser, which reports errors.
        experiment: Takes a ``rich.console.Console`` and returns the runs.
        done: Message at the end.
    """
    try:
        runs = experiment(plain_console())
    except (UsageError, OSError, ValueError, ImportError) as error:
        parser.exit(2, f'{parser.prog}: error: {said_by(error)}\n')
    except KeyboardInterrupt:
        parser.exit(130, 'Stopped. Repeat the command to resume.\n')
    print(done)
    failed = [run for run in runs if run.error]
    if failed:
        print(f'{len(failed)} of {len(runs)} runs failed:', file=sys.stderr)
        for run in failed:
            print(f'  {run.title}: {run.error}', file=sys.stderr)
        sys.exit(1)
