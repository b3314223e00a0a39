"""Measure how fast a recording is enhanced.

Runs with sequential and with overlapping steps alternate; all enhance the same
part of the recording.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import torch

from mmdsr.analysis.benchmark_recording import gains, time_recording
from mmdsr.errors import said_by
from mmdsr.experiments.arguments import positive
from mmdsr.inference import SuperResolver
from mmdsr.recording.options import RecordingOptions


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', type=Path, help='a recording')
    parser.add_argument('--weights', default='dsrnet_x_nano')
    parser.add_argument('--reference', default='auto')
    parser.add_argument('--region', default='whole')
    parser.add_argument('--scale', type=int, default=4)
    parser.add_argument('--seconds', type=float, help='of the recording')
    parser.add_argument('--suffix', default='.mp4', choices=('.mp4', '.mkv'))
    parser.add_argument('--repeats', type=positive, default=1)
    parser.add_argument('--threads', type=positive, help='of torch')
    parser.add_argument('--device', default='cpu')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run; return the exit code."""
    args = parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    try:
        timings = time_recording(
            SuperResolver(weights=args.weights),
            args.source,
            RecordingOptions.read(args, end=args.seconds),
            args.suffix,
            args.device,
            args.repeats,
        )
    except (OSError, ValueError, ImportError) as error:
        print(
            f'benchmark_recording.py: error: {said_by(error)}', file=sys.stderr
        )
        return 2
    for one in timings:
        print(
            f'{"overlapped" if one.overlap else "one by one":>10}: '
            f'{one.frames} frames in {one.seconds:.1f} s, '
            f'{one.rate:.2f} frames/s, peak {one.peak:.0f} MiB',
            flush=True,
        )
    found = gains(timings)
    print(
        f'overlapped is {median(found):.2f} times as fast ({found[0]:.2f} to '
        f'{found[-1]:.2f}, {len(found)} pairs)'
    )
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
