r"""Measure how much references from the same recording improve results.

Reduced frames are enhanced with other reduced frames of their run, chosen as
`mmdsr enhance` does for a recording.

Example:
    mmdsr simulate data/recordings --runs 4 --frames 44 --test-runs 3 \
        --steps video --seed 7
    python tools/analysis_tools/recording_references.py data/recordings \
        --rate 25 --every 4 --most 1 2 3
"""

import argparse
from collections.abc import Sequence

from mmdsr import SuperResolver
from mmdsr.cli.enhance import DEFAULT_WEIGHTS
from mmdsr.errors import CheckpointError
from mmdsr.experiments.arguments import positive
from mmdsr.experiments.recording_references import read_runs, score_policy
from mmdsr.recording.neighbors import MOST, POLICIES


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line per policy."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('data_root', help='data set whose runs are recordings')
    parser.add_argument('--split', default='test', choices=['train', 'test'])
    parser.add_argument('--weights', default=DEFAULT_WEIGHTS)
    parser.add_argument('--rate', type=float, default=25.0)
    parser.add_argument(
        '--every', type=positive, default=1, help='use every N-th frame'
    )
    parser.add_argument(
        '--most',
        type=positive,
        nargs='+',
        default=[MOST],
        help='largest number of references for the policy auto',
    )
    args = parser.parse_args(argv)
    try:
        if not args.rate > 0:
            raise ValueError(f'--rate must be above 0, not {args.rate}.')
        resolver = SuperResolver(weights=args.weights)
        runs = read_runs(args.data_root, args.split)
        rows = [(policy, 1) for policy in POLICIES if policy != 'auto']
        for policy, most in [*rows, *(('auto', most) for most in args.most)]:
            found = score_policy(
                resolver, runs, policy, args.rate, most, args.every
            )
            print(
                f'{policy:8} at most {most}: {found.psnr_y:.2f} dB '
                f'({found.gain:+.2f}), {found.frames} frames, '
                f'{found.referred} with a reference'
            )
    except (CheckpointError, OSError, ValueError) as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')


if __name__ == '__main__':
    main()
