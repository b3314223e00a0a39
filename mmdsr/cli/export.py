"""Export published weights for ONNX Runtime, OpenVINO and devices."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mmdsr.deploy.files import FORMATS, export
from mmdsr.deploy.onnx_export import Size
from mmdsr.deploy.precision import PRECISIONS
from mmdsr.errors import said_by
from mmdsr.io.console import plain_console
from mmdsr.weights import available


def parse_args(
    argv: Sequence[str] | None = None, prog: str | None = None
) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog='docs/deploy.md describes the inputs and outputs.',
    )
    parser.add_argument(
        'weights',
        metavar='NAME|FILE',
        help=f'published weights; {", ".join(available())} come with the '
        'package',
    )
    parser.add_argument(
        '--format', choices=FORMATS, default='onnx', help='default: onnx'
    )
    parser.add_argument(
        '--precision', choices=PRECISIONS, default='fp32', help='default: fp32'
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path(),
        metavar='FOLDER',
        help='where to write (default: the current folder)',
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        '--dynamic',
        action='store_true',
        help='images of any size and number (the default)',
    )
    size.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('W', 'H'),
        help='one image of this size, with a reference four times as large, '
        'for devices that need fixed sizes',
    )
    parser.add_argument(
        '--samples',
        type=Path,
        metavar='FOLDER',
        help='with --precision int8: data set whose training split is used '
        'for calibration (default: eight simulated frames)',
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace files'
    )
    args = parser.parse_args(argv)
    if args.samples and args.precision != 'int8':
        parser.error('--samples requires --precision int8')
    return args


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run; return the exit code."""
    args = parse_args(argv, prog)
    console = plain_console(stderr=True)
    try:
        paths = export(
            args.weights,
            args.out,
            args.format,
            args.precision,
            Size(args.size[1], args.size[0]) if args.size else None,
            args.samples,
            args.overwrite,
        )
    except (OSError, ValueError, ImportError) as error:
        print(f'Error: {said_by(error)}', file=sys.stderr)
        return 2
    for path, about in paths.items():
        console.print(f'{path}: {about}')
    return 0
