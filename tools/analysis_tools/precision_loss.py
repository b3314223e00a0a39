r"""Measure the loss of networks in other runtimes and with fewer bits.

The images of a data set are enhanced with their references in every installed
backend and precision, and compared with torch in float32.

Example:
    python tools/analysis_tools/precision_loss.py data/sewersim-sr \
        --weights dsrnet_x_nano dsrnet_x --samples 24
"""

import argparse
from collections.abc import Sequence

from rich.console import Console
from rich.progress import track

from mmdsr.cli.enhance import DEFAULT_WEIGHTS
from mmdsr.errors import CheckpointError
from mmdsr.experiments.arguments import positive
from mmdsr.experiments.precision_loss import (
    VARIANTS,
    loss_table,
    measure_losses,
    read_samples,
)
from mmdsr.io.console import plain_console


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('data_root', help='data set of RefSRDataset')
    parser.add_argument('--split', default='test', choices=['train', 'test'])
    parser.add_argument(
        '--weights', nargs='+', default=[DEFAULT_WEIGHTS], metavar='NAME'
    )
    parser.add_argument(
        '--samples',
        type=positive,
        metavar='N',
        help='images, evenly spread over the split (default: all)',
    )
    args = parser.parse_args(argv)
    try:
        samples = read_samples(args.data_root, args.split, args.samples)
        losses = []
        for name in args.weights:
            losses += track(
                measure_losses(name, samples),
                name,
                len(VARIANTS),
                console=plain_console(stderr=True),
            )
    except (CheckpointError, OSError, ValueError) as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')
    console = Console()
    console.print(f'{len(samples)} images of {args.data_root}')
    console.print(loss_table(losses))


if __name__ == '__main__':
    main()
