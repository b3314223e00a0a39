r"""Compare a trained network with bicubic interpolation.

The network is evaluated with the true reference, a wrong one and none, and
with predicted, given and all-zero depth maps. Optical flow without a network
is shown for comparison. Frames of a camera at rest are counted separately, and
the match is checked if the true flow is known. Prints a table per data set and
writes results.json, results.md and comparison strips.

Example:
    python tools/analysis_tools/compare.py configs/dsrnet/teacher_quick.py \
        work_dirs/teacher_quick data/sewersim data/real --out compare
"""

import argparse
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

import torch
from rich.console import Console

from mmdsr.engine.launch import load_config
from mmdsr.engine.options import add_options_argument
from mmdsr.errors import UsageError, said_by
from mmdsr.experiments.arguments import not_negative, positive
from mmdsr.experiments.compare_references import DEPTHS
from mmdsr.experiments.comparison import compare
from mmdsr.experiments.references import REFERENCES, USUAL_REFERENCES


def parse_args(
    argv: Sequence[str] | None = None,
) -> tuple[ArgumentParser, Namespace]:
    """Return the parser and the parsed arguments."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('config', help='config file')
    parser.add_argument(
        'checkpoint',
        help='checkpoint, state dict, or a working directory (its best one)',
    )
    parser.add_argument(
        'data_roots',
        nargs='*',
        metavar='DATA_ROOT',
        help='data sets; by default the test data of the config',
    )
    parser.add_argument(
        '--out',
        help='folder for the results; by default "compare" in a working '
        'directory, "compare-STEM" beside a file STEM.pth',
    )
    parser.add_argument('--split', default='test', choices=['train', 'test'])
    parser.add_argument(
        '--references',
        nargs='+',
        choices=REFERENCES,
        default=USUAL_REFERENCES,
        help='references to try; the first one is also used for the depths '
        f'(default: {" ".join(USUAL_REFERENCES)})',
    )
    parser.add_argument(
        '--depths',
        nargs='+',
        choices=DEPTHS,
        default=DEPTHS,
        help='depth sources to try; the first one is used for the references',
    )
    parser.add_argument(
        '--max-samples',
        type=positive,
        help='evenly spread images per data set',
    )
    parser.add_argument(
        '--strips',
        type=not_negative,
        default=16,
        help='strips per data set',
    )
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu'
    )
    add_options_argument(parser)
    return parser, parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Compare."""
    parser, args = parse_args(argv)
    try:
        out = compare(
            load_config(args.config, args.cfg_options),
            args.checkpoint,
            args.data_roots,
            Console(),
            out=args.out,
            split=args.split,
            strips=args.strips,
            device=args.device,
            references=args.references,
            depths=args.depths,
            max_samples=args.max_samples,
        )
    except (UsageError, OSError, ValueError) as error:
        parser.exit(2, f'{parser.prog}: error: {said_by(error)}\n')
    print(f'Results are in {out}/results.md, strips in {out}/strips')


if __name__ == '__main__':
    main()
