"""Assemble recordings of every kind, enhance them and check the films.

Example:
    python tools/dev/check_recordings.py
    python tools/dev/check_recordings.py FOLDER_OF_FRAMES --kinds mp4 avi
    python tools/dev/check_recordings.py --kinds mp4 --lengths 1 2 8

Frames, times, sound, pixel aspect ratio, rotation and colors are read from
both files with PyAV. Some runs are killed and resumed. The exit code is 1 if
anything differs.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from rich.console import Console
from rich.table import Table

from mmdsr.dev.film_check import FLAT, Finding, check, peak_memory
from mmdsr.dev.film_kinds import KINDS
from mmdsr.dev.recordings import write_recording
from mmdsr.io.frames import SUFFIXES
from mmdsr.sim.pipe_run import PipeRun

NAMES = tuple(kind.name for kind in KINDS)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'frames',
        nargs='?',
        type=Path,
        help='folder of images, in the order of their paths (default: frames '
        'of the simulator)',
    )
    parser.add_argument('--count', type=int, default=50, help='most frames')
    parser.add_argument(
        '--size', type=int, nargs=2, default=(180, 144), metavar=('W', 'H')
    )
    parser.add_argument('--kinds', nargs='+', choices=NAMES, default=NAMES)
    parser.add_argument('--scale', type=int, choices=(1, 2, 4), default=2)
    parser.add_argument(
        '--weights', help='of a network (default: none, but bicubic)'
    )
    parser.add_argument(
        '--lengths',
        type=int,
        nargs='+',
        default=(),
        metavar='N',
        help='also compare the memory that N times --count frames take',
    )
    return parser.parse_args(argv)


def read_frames(args: argparse.Namespace) -> list[np.ndarray]:
    """Return (H, W, 3) uint8 RGB frames.

    Raises:
        OSError: If there are none in the folder.
    """
    size = tuple(args.size)
    if args.frames is None:
        run = PipeRun(7, 0, size, steps='video')
        return [run.frame(number).image for number in range(args.count)]
    paths = sorted(
        path
        for path in args.frames.rglob('*')
        if path.suffix.lower() in SUFFIXES
    )
    if len(paths) < 2:
        raise OSError(f'{args.frames} has {len(paths)} images: name another.')
    frames = []
    for path in paths[: args.count]:
        with Image.open(path) as image:
            fitted = ImageOps.fit(image.convert('RGB'), size)
            frames.append(np.asarray(fitted))
    return frames


def show(found: Sequence[Finding], console: Console) -> None:
    """Print the results."""
    table = Table(
        'recording',
        'frames',
        'most off, ms',
        'sound packets',
        'most off, ms',
        'pixels',
        'size',
        'least dB',
        'killed after',
        'verdict',
    )
    for one in found:
        table.add_row(
            one.kind,
            ' -> '.join(map(str, one.frames)),
            f'{1000 * float(one.off):.3f}',
            str(one.sounds),
            f'{1000 * float(one.sound_off):.3f}',
            ' -> '.join(map(str, one.sar)),
            'x'.join(map(str, one.size)),
            f'{one.psnr:.1f}',
            '' if one.resumed is None else f'{one.resumed} segments',
            '\n'.join(one.problems) or 'the same',
        )
    console.print(table, markup=False)


def main(argv: Sequence[str] | None = None) -> int:
    """Run; return the exit code."""
    args = parse_args(argv)
    try:
        frames = read_frames(args)
    except (OSError, ValueError) as error:
        print(f'Error: {error}', file=sys.stderr)
        return 2
    console = Console(width=160)
    options = ['--text', 'none', '--device', 'cpu']
    options += (
        ['--weights', args.weights]
        if args.weights
        else ['--interpolation', 'bicubic']
    )
    found = []
    for kind in KINDS:
        if kind.name in args.kinds:
            with tempfile.TemporaryDirectory() as folder:
                place = Path(folder)
                one = check(kind, frames, place, options, args.scale)
            found.append(one)
            said = '; '.join(one.problems) or 'the same'
            print(f'{kind.name}: {said}', file=sys.stderr, flush=True)
    show(found, console)
    peaks = {}
    for length in args.lengths:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, 'in.mp4')
            write_recording(source, frames * length, sound=True)
            target, words = source.with_name('out.mp4'), [*options]
            words += ['--scale', str(args.scale)]
            peaks[length] = peak_memory(source, target, words)
        console.print(
            f'{len(frames) * length} frames: peak {peaks[length]:.0f} MiB'
        )
    flat = not peaks or peaks[max(peaks)] < FLAT * peaks[min(peaks)]
    if not flat:
        console.print('Memory grows with the length.')
    return 0 if flat and not any(one.problems for one in found) else 1


if __name__ == '__main__':
    sys.exit(main())
