"""Convert a published data set of image pairs to the layout of mmdsr."""

import argparse
from collections.abc import Sequence
from functools import partial

from rich.progress import track

from mmdsr.converters.pairs import (
    CUFED_LEVELS,
    Pair,
    find_cufed,
    find_deep_sewer,
)
from mmdsr.converters.pairs_to_refsr import pairs_to_refsr
from mmdsr.io.console import plain_console
from mmdsr.io.depth_values import KINDS


def parse_args(
    argv: Sequence[str] | None = None, prog: str | None = None
) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog='The folders are described in docs/datasets.md.',
    )
    sets = parser.add_subparsers(dest='dataset', required=True)
    sewer = sets.add_parser(
        'deep-sewer', help='ROOT/{train,test}/{raw,depth}/{input,ref}'
    )
    sewer.add_argument(
        '--pair',
        choices=('stem', 'order'),
        default='stem',
        help='an image and its reference have the same name, or the same '
        'position in their folders',
    )
    sewer.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(448, 320),
        metavar=('W', 'H'),
        help='resize to this size, as the authors do (default 448 320)',
    )
    sewer.add_argument(
        '--keep-size',
        dest='size',
        action='store_const',
        const=None,
        help='do not resize; crop to multiples of 4',
    )
    sewer.add_argument(
        '--depth',
        choices=(*KINDS, 'none'),
        default='inverse',
        help='meaning of the depth files: larger is nearer (default), larger '
        'is farther, or do not use them',
    )
    sewer.add_argument(
        '--depth-scale',
        type=float,
        help='inverse: the value that stands for 0.25 m (default 255); '
        'distance: meters per step (default 1)',
    )
    cufed = sets.add_parser(
        'cufed', help='ROOT/train/{input,ref} and ROOT/test/CUFED5'
    )
    cufed.add_argument(
        '--references',
        nargs='+',
        default=['1'],
        metavar='N',
        help='references of CUFED5, 1 (most similar, default) to 5, each '
        'making a sample; or "stacked": all five in one tall image',
    )
    for part in (sewer, cufed):
        part.add_argument('root', help='folder of the published data set')
        part.add_argument('out', help='data set to be made')
        part.add_argument(
            '--on-error',
            choices=('refuse', 'skip'),
            default='refuse',
            help='how to treat unreadable, truncated or too small images, and '
            'training pairs of different sizes',
        )
        part.add_argument(
            '--overwrite', action='store_true', help='replace an existing OUT'
        )
    return parser.parse_args(argv)


def find(args: argparse.Namespace) -> list[Pair]:
    """Return the pairs selected by the arguments."""
    if args.dataset == 'deep-sewer':
        return find_deep_sewer(args.root, args.pair, args.depth != 'none')
    references = args.references
    if references != ['stacked']:
        wrong = set(references) - {str(n) for n in CUFED_LEVELS}
        if wrong:
            raise ValueError(
                f'--references takes numbers of {CUFED_LEVELS} or "stacked", '
                f'not {", ".join(sorted(wrong))}.'
            )
        return find_cufed(args.root, [int(n) for n in references])
    return find_cufed(args.root, 'stacked')


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command; return the exit code."""
    args = parse_args(argv, prog)
    console = plain_console(stderr=True)
    progress = partial(track, console=console)
    depth = getattr(args, 'depth', 'none')
    try:
        summary = pairs_to_refsr(
            find(args),
            args.out,
            getattr(args, 'size', None) and tuple(args.size),
            depth='inverse' if depth == 'none' else depth,
            depth_scale=getattr(args, 'depth_scale', None),
            on_error=args.on_error,
            overwrite=args.overwrite,
            generator={'dataset': args.dataset},
            progress=progress,
        )
    except (OSError, ValueError) as error:
        console.print(f'Error: {error}', style='red')
        return 2
    except KeyboardInterrupt:
        console.print('Interrupted: repeat the command to start again.')
        return 130
    out = plain_console()
    for line in summary.warnings():
        out.print(line, style='yellow')
    if depth != 'none' and summary.without_depth:
        out.print(f'{summary.without_depth} samples without both depth maps')
    out.print(
        f'{summary.out}: {summary.samples["train"]} training and '
        f'{summary.samples["test"]} test samples from {summary.frames} pairs',
    )
    return 0
