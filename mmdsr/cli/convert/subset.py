"""Sample a small part of a Sewer-ML table, with a quota for each class."""

import argparse
from collections.abc import Sequence

from mmdsr.converters.sewer_ml_subset import make_subset
from mmdsr.io.console import plain_console


def parse_args(
    argv: Sequence[str] | None = None, prog: str | None = None
) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog='The DSRNet paper does not say which images of Sewer-ML it '
        'uses; this selection is repeatable. See docs/datasets.md.',
    )
    parser.add_argument('table', help='official CSV file')
    parser.add_argument('out', help='CSV file to be made')
    parser.add_argument(
        '--per-class',
        type=int,
        default=50,
        metavar='N',
        help='images wanted for each class (default 50)',
    )
    parser.add_argument(
        '--normal',
        type=int,
        default=50,
        metavar='N',
        help='images wanted without a defect (default 50)',
    )
    parser.add_argument(
        '--classes',
        dest='label_set',
        choices=('15', '17'),
        default='15',
        help='classes of the paper (default), or all of the benchmark',
    )
    parser.add_argument('--seed', type=int, default=0, help='default 0')
    parser.add_argument(
        '--images', metavar='DIR', help='use only images in this folder'
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace an existing OUT'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command; return the exit code."""
    args = parse_args(argv, prog)
    try:
        counts = make_subset(**vars(args))
    except (OSError, ValueError) as error:
        plain_console(stderr=True).print(f'Error: {error}', style='red')
        return 2
    console = plain_console()
    images = counts.pop('images')
    console.print(
        f'{args.out}: {images} images; '
        + ', '.join(f'{code} {n}' for code, n in counts.items()),
    )
    short = [
        f'{code} ({n})'
        for code, n in counts.items()
        if n < (args.normal if code == 'ND' else args.per_class)
    ]
    if short:
        console.print(
            f'The table has fewer images than requested: {", ".join(short)}',
            style='yellow',
        )
    return 0
