"""Make boxes and instance masks (COCO JSON) from masks of class IDs."""

import argparse
from collections.abc import Sequence
from functools import partial

from rich.progress import track

from mmdsr.converters.masks_to_coco import MIN_AREA, masks_to_coco
from mmdsr.io.console import plain_console


def class_id(text: str) -> tuple[str, int]:
    """Parse NAME=ID."""
    name, _, number = text.partition('=')
    if not name or not number.isdecimal():
        raise argparse.ArgumentTypeError(f'{text!r} is not NAME=ID')
    return name, int(number)


def parse_args(
    argv: Sequence[str] | None = None, prog: str | None = None
) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog='Masks of the Pipe data set need no --classes: see '
        'docs/datasets.md.',
    )
    parser.add_argument('images', help='folder of images')
    parser.add_argument(
        'masks',
        help='folder of masks with the same names, except for the suffix',
    )
    parser.add_argument('out', help='JSON file to be made')
    parser.add_argument(
        '--classes',
        dest='ids',
        nargs='+',
        type=class_id,
        metavar='NAME=ID',
        help='IDs in the masks (default JO=1 IL=2 IN=3)',
    )
    parser.add_argument(
        '--min-area',
        type=int,
        default=MIN_AREA,
        metavar='PIXELS',
        help=f'smallest component that makes a box (default {MIN_AREA})',
    )
    parser.add_argument(
        '--channel',
        type=int,
        choices=(0, 1, 2),
        default=0,
        help='channel with the IDs in color masks, 0 = red (default)',
    )
    parser.add_argument(
        '--other',
        choices=('refuse', 'skip'),
        default='refuse',
        help='values in the masks that are not IDs; skip = background',
    )
    parser.add_argument(
        '--on-error',
        choices=('refuse', 'skip'),
        default='refuse',
        help='how to treat unreadable files, different sizes, and images '
        'without a mask',
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace an existing OUT'
    )
    args = parser.parse_args(argv)
    if args.ids is not None:
        names = [name for name, _ in args.ids]
        if len(set(names)) != len(names):
            parser.error('a class is given twice in --classes')
        args.ids = dict(args.ids)
    return args


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command; return the exit code."""
    args = parse_args(argv, prog)
    console = plain_console(stderr=True)
    progress = partial(track, console=console)
    try:
        summary = masks_to_coco(**vars(args), progress=progress)
    except (OSError, ValueError, ImportError) as error:
        console.print(f'Error: {error}', style='red')
        return 2
    except KeyboardInterrupt:
        console.print('Interrupted: repeat the command to start again.')
        return 130
    out = plain_console()
    for problem in summary.left_out:
        out.print(f'Left out: {problem}', style='yellow')
    boxes = ', '.join(f'{n} {name}' for name, n in summary.instances.items())
    out.print(
        f'{summary.out}: {summary.images} images, {boxes}; {summary.small} '
        f'components below {args.min_area} pixels left out',
    )
    return 0
