"""Draw a contact sheet of simulated samples: image, depth, labels, reference.

With ROOT, it shows samples of a data set on disk; without, frames rendered on
the fly. Labels are drawn as masks with boxes and class names; a data set with
labels of whole images shows their names.
"""

import argparse
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from mmdsr.io.images import write_png
from mmdsr.io.manifest import SPLITS
from mmdsr.sim.preview.browse import place_beside, read_rows_of, render_rows
from mmdsr.sim.preview.contact_sheet import contact_sheet

RENDER = {'seed': 0, 'runs': None, 'frame': 8, 'size': (448, 320)}


def parse_args(argv: Sequence[str] | None = None) -> Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'root',
        type=Path,
        nargs='?',
        help='a data set made by make_sewersim.py (default: render frames)',
    )
    parser.add_argument(
        '-o', '--out', type=Path, required=True, help='the PNG file to write'
    )
    parser.add_argument(
        '--number', type=int, default=8, help='samples (default 8)'
    )
    parser.add_argument(
        '--kinds',
        nargs='+',
        default=[],
        metavar='CODE',
        help=(
            'for a data set: only samples with one of these labels; for '
            'rendered frames: the defects, one per run in turn (default: '
            'random defects)'
        ),
    )
    parser.add_argument(
        '--beside',
        type=Path,
        metavar='FOLDER',
        help=(
            'show images of this folder beside the samples, cropped to equal '
            'size'
        ),
    )
    parser.add_argument(
        '--width',
        type=int,
        default=320,
        help='width of a cell in pixels (default 320)',
    )
    parser.add_argument(
        '--split', choices=SPLITS, help='of a data set (default test)'
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace an existing file'
    )
    render = parser.add_argument_group('rendering')
    render.add_argument('--seed', type=int, help='default 0')
    render.add_argument(
        '--runs',
        type=int,
        nargs='+',
        help='numbers of the runs (default: the first ones)',
    )
    render.add_argument(
        '--frame', type=int, help='number of the frame (default 8)'
    )
    render.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('W', 'H'),
        help='size of the frames (default 448 320)',
    )
    render.add_argument(
        '--overlay', action='store_true', help=('add burned-in text')
    )
    args = parser.parse_args(argv)
    if args.number < 1:
        parser.error(f'--number must be at least 1, not {args.number}')
    if args.out.suffix.lower() != '.png':
        parser.error(f'--out must be a .png file, not {args.out}')
    given = [key for key in RENDER if getattr(args, key) is not None]
    given += ['overlay'] if args.overlay else []
    if args.root is not None and given:
        options = ', '.join('--' + key for key in given)
        parser.error(f'{options}: only without a data set')
    if args.root is None and args.split:
        parser.error('--split: only with a data set')
    return args


def rows_of(args: argparse.Namespace) -> list:
    """Return the samples requested by the arguments."""
    if args.root is not None:
        return read_rows_of(
            args.root, args.split or 'test', args.number, args.kinds
        )
    chosen = {
        key: default if getattr(args, key) is None else getattr(args, key)
        for key, default in RENDER.items()
    }
    return render_rows(
        chosen['seed'],
        chosen['runs'] or range(args.number),
        chosen['frame'],
        tuple(chosen['size']),
        args.kinds,
        args.overlay,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; return the exit code."""
    args = parse_args(argv)
    try:
        if args.out.is_dir() or (args.out.exists() and not args.overwrite):
            raise FileExistsError(
                f'{args.out} already exists: add --overwrite or choose '
                'another name'
            )
        rows = rows_of(args)
        if args.beside is not None:
            rows = place_beside(rows, args.beside)
        write_png(args.out, contact_sheet(rows, args.width))
    except (ValueError, OSError) as error:
        print(f'browse_sewersim: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('browse_sewersim: interrupted', file=sys.stderr)
        return 130
    print(f'{args.out}: {len(rows)} samples')
    return 0


if __name__ == '__main__':
    sys.exit(main())
