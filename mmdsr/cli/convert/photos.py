"""Make pairs with exactly known flow from any folder of photographs.

Repeat an interrupted command to resume it.
"""

import argparse
from collections.abc import Sequence
from functools import partial

from rich.progress import track

from mmdsr.converters.photo_files import ATTRIBUTION, LICENSES
from mmdsr.converters.photo_pairs import PairSpread
from mmdsr.converters.photo_recipe import Recipe
from mmdsr.converters.photos_to_refsr import photos_to_refsr
from mmdsr.io.console import plain_console


def parse_args(
    argv: Sequence[str] | None = None, prog: str | None = None
) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog='docs/datasets.md describes the random parameters and their '
        'ranges.',
    )
    parser.add_argument('photos', help='folder of photographs')
    parser.add_argument('out', help='data set to be made')
    Recipe.add_to(parser)
    parser.add_argument(
        '--pairs',
        type=int,
        nargs=2,
        default=(900, 60),
        metavar=('TRAIN', 'TEST'),
        help='number of pairs in each split (default 900 60); 0 leaves it out',
    )
    parser.add_argument(
        '--test-share',
        type=float,
        default=0.1,
        metavar='SHARE',
        help='share of the scenes that make the test split (default 0.1)',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=1,
        help='number of processes (default 1); it does not change the files',
    )
    parser.add_argument(
        '--occluded',
        type=float,
        default=PairSpread.occluded,
        metavar='SHARE',
        help='share of references with something in front of the scene '
        f'(default {PairSpread.occluded})',
    )
    parser.add_argument(
        '--attribution',
        metavar='CSV',
        help='file, author, license and source of the photographs (default '
        f'PHOTOS/{ATTRIBUTION})',
    )
    parser.add_argument(
        '--exclude-license',
        nargs='+',
        choices=tuple(LICENSES),
        default=(),
        metavar='NAME',
        help=f'licenses to exclude: {", ".join(LICENSES)}',
    )
    parser.add_argument(
        '--any-license',
        action='store_true',
        help='use photographs with other or unknown licenses, too; weights '
        'trained on them should not be distributed',
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace an existing OUT'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command; return the exit code."""
    args = parse_args(argv, prog)
    console = plain_console(stderr=True)
    progress = partial(track, console=console)

    def fail(error: object, code: int) -> int:
        console.print(f'Error: {error}', style='red')
        return code

    try:
        summary = photos_to_refsr(
            args.photos,
            args.out,
            Recipe.read(args, spread=PairSpread(occluded=args.occluded)),
            tuple(args.pairs),
            args.test_share,
            args.attribution,
            args.exclude_license,
            args.any_license,
            args.workers,
            args.overwrite,
            progress,
        )
    except (OSError, ValueError) as error:
        return fail(error, 2)
    except RuntimeError as error:
        return fail(error, 1)
    except KeyboardInterrupt:
        return fail('interrupted: repeat the command to resume', 130)
    out = plain_console()
    for line in summary.warnings():
        out.print(line, style='yellow')
    crops, photos = summary.crops, summary.photos
    out.print(
        f'{crops["looked"]} crops examined: {crops["soft"]} soft, '
        f'{crops["flat"]} flat',
    )
    out.print(
        f'{summary.out}: {summary.samples["train"]} training pairs of '
        f'{photos["train"]} photographs and {summary.samples["test"]} test '
        f'pairs of {photos["test"]}',
    )
    return 0
