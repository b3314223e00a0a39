"""Choosing one of several commands without importing the others."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import NamedTuple


class Command(NamedTuple):
    """A command.

    Args:
        module: Where its ``main(argv, prog)`` is.
        about: What it does, in a few words.
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
    """Run the command that the first word names.

    Args:
        commands: The commands by name.
        argv: Command line; ``None`` for that of the process.
        prog: Name of the program.
        about: Its purpose.
        version: What ``--version`` prints. Defaults to None: no such option.

    Returns:
        The exit code of the command.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        prog=prog,
        description=about,
        epilog=f'"{prog} COMMAND --help" says more about each.',
    )
    if version:
        parser.add_argument('--version', action='version', version=version)
    names = parser.add_subparsers(
        dest='command', metavar='COMMAND', required=True
    )
    for name, command in commands.items():
        names.add_parser(name, help=command.about, add_help=False)
    # The remaining words are the command's own.
    name = parser.parse_args(argv[:1]).command
    main = import_module(commands[name].module).main
    return main(argv[1:], prog=f'{prog} {name}')
