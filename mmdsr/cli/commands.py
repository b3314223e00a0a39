"""Run one of several commands without importing the others."""

import argparse
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import NamedTuple


class Command(NamedTuple):
    """A command.

    Args:
        module: Module that defines its ``main(argv, prog)``.
        about: Description in a few words.
    """

    module: str
    about: str


def run_command(
    commands: Mapping[str, Command],
    argv: Sequence[str] | None,
    prog: str,
    about: str,
    version: str | None = None,
) -> int | None:
    """Run the command named by the first word.

    Args:
        commands: The commands by name.
        argv: Command line; ``None`` for that of the process.
        prog: Name of the program.
        about: Its purpose.
        version: Output of ``--version``. Defaults to None: no such option.

    Returns:
        The exit code of the command.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        prog=prog,
        description=about,
        epilog=f'"{prog} COMMAND --help" describes each command.',
    )
    if version:
        parser.add_argument('--version', action='version', version=version)
    names = parser.add_subparsers(
        dest='command', metavar='COMMAND', required=True
    )
    for name, command in commands.items():
        names.add_parser(name, help=command.about, add_help=False)
    # The remaining words belong to the command.
    name = parser.parse_args(argv[:1]).command
    with _late_interrupt():
        main = import_module(commands[name].module).main
    return main(argv[1:], prog=f'{prog} {name}')


@contextmanager
def _late_interrupt() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` at the end of a block, not within it.

    NumPy and torch take seconds to import and turn an interrupt in between
    into errors of other kinds.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        # Ignored, as in the background of a shell, or somebody else's.
        yield
        return
    received = []

    def note(number: int, _: FrameType | None) -> None:
        received.append(number)

    try:
        signal.signal(signal.SIGINT, note)
    except ValueError:
        # Only the main thread receives signals.
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if received:
        raise KeyboardInterrupt
