"""Convert folders of video frames to a super-resolution data set."""

import argparse
from collections.abc import Sequence
from functools import partial

from rich.console import Console
from rich.progress import track

from mmdsr.converters.frames_to_refsr import REFERENCES, frames_to_refsr
from mmdsr.converters.summary import Summary
from mmdsr.io.console import plain_console


def parse_args(
    argv: Sequence[str] | None = None, prog: str | None = None
) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog='The layout, the choice of references and the held-out frames '
        'are described in docs/data.md.',
    )
    parser.add_argument(
        'frames',
        help='folder of frames, or of subfolders with one run each',
    )
    parser.add_argument('out', help='data set to be made')
    parser.add_argument('--scale', type=int, default=4)
    parser.add_argument(
        '--reference',
        choices=REFERENCES,
        default='next',
        help='the frame GAP places away, or the sharpest frame within that '
        'distance',
    )
    parser.add_argument('--gap', type=int, default=1, metavar='N')
    parser.add_argument(
        '--holdout',
        nargs='+',
        default=['0.2'],
        metavar='RUN|FRACTION',
        help='runs for the test split, or one fraction of the runs (of the '
        'frames if there is only one run; 0 = none, 1 = all)',
    )
    parser.add_argument(
        '--depth',
        metavar='DIR',
        help='depth maps at full size, laid out like the frames: 16-bit '
        'PNG or .npy in meters',
    )
    parser.add_argument(
        '--depth-unit',
        type=float,
        default=0.001,
        help='meters per step of the 16-bit PNG',
    )
    parser.add_argument(
        '--on-error',
        choices=('refuse', 'skip'),
        default='refuse',
        help='how to treat unreadable, truncated or too small frames, and '
        'frames whose size differs from that of their reference',
    )
    parser.add_argument(
        '--odd-size',
        choices=('refuse', 'crop', 'skip'),
        default='refuse',
        help='how to treat frames whose sides are not multiples of the scale',
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace an existing OUT'
    )
    return parser.parse_args(argv)


def show_summary(summary: Summary, console: Console) -> None:
    """Print the counts and the reasons for skipped frames."""
    for line in summary.warnings():
        console.print(line, style='yellow')
    if summary.without_depth:
        console.print(f'{summary.without_depth} frames without a depth map')
    console.print(
        f'{summary.out}: {summary.samples["train"]} training and '
        f'{summary.samples["test"]} test samples from {summary.frames} frames',
    )


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command; return the exit code."""
    args = parse_args(argv, prog)
    console = plain_console(stderr=True)
    progress = partial(track, console=console)
    try:
        summary = frames_to_refsr(**vars(args), progress=progress)
    except (OSError, ValueError) as error:
        console.print(f'Error: {error}', style='red')
        return 2
    except KeyboardInterrupt:
        console.print('Interrupted: repeat the command to start again.')
        return 130
    show_summary(summary, plain_console())
    return 0
