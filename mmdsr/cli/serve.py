"""Serve a web page that enhances images and recordings."""

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from types import FrameType

from rich.console import Console

from mmdsr.errors import MissingExtraError, UsageError
from mmdsr.extras import require
from mmdsr.io.console import plain_console


def parse_args(
    argv: Sequence[str] | None = None, prog: str | None = None
) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog='Ctrl-C stops the server and removes all uploaded files. See '
        'docs/page.md.',
    )
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to listen on (default: 127.0.0.1, which only this '
        'machine can reach; anybody who can reach another address can use '
        'the page)',
    )
    parser.add_argument(
        '--port',
        type=int,
        default=8000,
        help='port; 0 for any free one (default: 8000)',
    )
    parser.add_argument(
        '--name',
        action='append',
        default=[],
        help='further name by which browsers reach the server (may be '
        'repeated)',
    )
    parser.add_argument(
        '--max-upload',
        type=int,
        default=100,
        metavar='MB',
        help='largest file in MB (default: 100)',
    )
    return parser.parse_args(argv)


def run(args: argparse.Namespace, console: Console) -> None:
    """Serve the page.

    Args:
        args: Options from :func:`parse_args`.
        console: Where to print.

    Raises:
        UsageError: If an option is not valid.
        MissingExtraError: If the packages of the extra ``serve`` are missing.
    """
    if args.max_upload < 1:
        raise UsageError(
            f'--max-upload must be at least 1, not {args.max_upload}.'
        )
    if not 0 <= args.port < 2**16:
        raise UsageError(f'--port must be 0 to 65535, not {args.port}.')
    require('serve', 'starlette', 'uvicorn', 'av')
    from mmdsr.page.guard import is_loopback
    from mmdsr.page.limits import MIB, Limits
    from mmdsr.page.server import serve

    limits = Limits()
    upload = args.max_upload * MIB
    limits = replace(
        limits, upload=upload, stored=max(limits.stored, 2 * upload)
    )
    if not is_loopback(args.host):
        console.print(
            f'Anybody who can reach {args.host} can use this page, and their '
            'uploads are not encrypted.',
            style='yellow',
        )

    # These signals remove the uploaded files, too.
    for name in ('SIGTERM', 'SIGHUP'):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _end)

    def ready(address: str) -> None:
        console.print(f'Open {address} in a browser. Ctrl-C stops the server.')

    serve(args.host, args.port, limits, args.name, ready)


def _end(number: int, _: FrameType | None) -> None:
    """Exit after cleaning up, with the exit code of the signal."""
    sys.exit(128 + number)


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run; return the exit code."""
    args = parse_args(argv, prog)
    console = plain_console(stderr=True)
    try:
        run(args, console)
    except (MissingExtraError, UsageError) as error:
        console.print(f'Error: {error}', style='red')
        return 2
    except KeyboardInterrupt:
        return 130
    return 0
