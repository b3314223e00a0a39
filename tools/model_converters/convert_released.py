"""Convert a checkpoint of the original MASA-SR or DSRNet to mmdsr's names."""

import argparse
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from mmdsr.errors import CheckpointError
from mmdsr.io.checkpoint import read_checkpoint, save_weights
from mmdsr.weights.released import convert_released


def parse_args(argv: Sequence[str] | None = None) -> Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('input', help='original checkpoint (.pth)')
    parser.add_argument('output', help='plain state dict to write (.pth)')
    parser.add_argument(
        '--keep-channel-order',
        action='store_true',
        help=(
            'keep the order of the color channels; by default the weights, '
            'trained on BGR images, are converted to RGB'
        ),
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace an existing output'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    try:
        if Path(args.output).exists() and not args.overwrite:
            raise FileExistsError(
                f'{args.output} already exists: add --overwrite to replace it'
            )
        state_dict = read_checkpoint(args.input)
        result = convert_released(
            state_dict.get('state_dict', state_dict),
            bgr=not args.keep_channel_order,
        )
        save_weights(result.state_dict, args.output)
    except (OSError, ValueError, CheckpointError) as error:
        print(f'convert_released.py: {error}', file=sys.stderr)
        sys.exit(2)
    if result.dropped:
        print(
            f'dropped {len(result.dropped)} weights of the decoder that the '
            'original code never runs:'
        )
        for key in result.dropped:
            print(f'  {key}')
    print(
        f'{len(result.state_dict)} weights of {result.network} written to '
        f'{args.output}'
    )


if __name__ == '__main__':
    main()
