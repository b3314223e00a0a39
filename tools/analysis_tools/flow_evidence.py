"""Measure how much the true flow and exact depth improve DSRNet-X.

Example:
    python tools/analysis_tools/flow_evidence.py data/sewersim dsrnet_x_nano
"""

import argparse
import json
from collections.abc import Sequence

from rich.progress import track

from mmdsr import DSRNetX, load_weights
from mmdsr.errors import CheckpointError
from mmdsr.experiments.flow_evidence import measure, open_samples


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line of JSON per network."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('data_root', help='data set of the simulator')
    parser.add_argument(
        'weights', nargs='+', help='published weights of DSRNet-X'
    )
    parser.add_argument('--split', default='test', choices=['train', 'test'])
    args = parser.parse_args(argv)
    try:
        for name in args.weights:
            network = load_weights(name)
            if not isinstance(network, DSRNetX):
                raise ValueError(f'{name} is not a DSRNet-X.')
            samples = open_samples(args.data_root, args.split)
            result = measure(network, track(samples, name))
            line = {k: round(v, 4) for k, v in result._asdict().items()}
            print(json.dumps(dict(weights=name, **line)))
    except (CheckpointError, OSError, ValueError) as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')


if __name__ == '__main__':
    main()
