"""Compare a trained network with bicubic interpolation.

With the true reference, a wrong one and none, and with depth maps predicted,
given and zeroed, beside optical flow without a network; frames of a camera at
rest are counted apart, and the match is checked where the true flow is known.
Prints a table per data set and writes results.json, results.md and comparison
strips.

Example:
    python tools/analysis_tools/compare.py configs/dsrnet/teacher_quick.py \
        work_dirs/teacher_quick data/sewersim data/real --out compare
"""

import argparse
from pathlib import Path

import torch
from rich.console import Console

from mmdsr.analysis import study
from mmdsr.analysis.references_table import (
    match_table,
    rich_table,
    write_results,
)
from mmdsr.engine.launch import UsageError, load_config
from mmdsr.engine.options import add_options_argument


def parse_args(argv=None):
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
        help='folder for the results; by default "compare" beside '
        'the checkpoint',
    )
    parser.add_argument('--split', default='test', choices=['train', 'test'])
    parser.add_argument(
        '--references',
        nargs='+',
        choices=study.REFERENCES,
        default=study.USUAL_REFERENCES,
        help='references to try; the first one is also used for the depths '
        f'(default: {" ".join(study.USUAL_REFERENCES)})',
    )
    parser.add_argument(
        '--depths',
        nargs='+',
        choices=study.DEPTHS,
        default=study.DEPTHS,
        help='depth sources to try; the first one is used for the references',
    )
    parser.add_argument(
        '--max-samples', type=int, help='evenly spread images per data set'
    )
    parser.add_argument(
        '--strips', type=int, default=16, help='strips per data set'
    )
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu'
    )
    add_options_argument(parser)
    return parser, parser.parse_args(argv)


def main(argv=None):
    """Compare."""
    parser, args = parse_args(argv)
    console = Console()
    try:
        cfg = load_config(args.config, args.cfg_options)
        checkpoint = study.find_checkpoint(args.checkpoint)
        out = Path(args.out or checkpoint.parent / 'compare')
        roots = args.data_roots or [cfg.test_dataloader.dataset.data_root]
        generator = study.build_generator(cfg, checkpoint, args.device)
        results = {}
        for root in map(Path, roots):
            name = root.name if root.name not in results else str(root)
            results[name] = study.evaluate(
                cfg,
                generator,
                root,
                references=args.references,
                depths=args.depths,
                split=args.split,
                max_samples=args.max_samples,
                strips=out / 'strips' / root.name if args.strips else None,
                max_strips=args.strips,
            )
            console.print(rich_table(name, results[name]))
            matches = match_table(name, results[name])
            if matches is not None:
                console.print(matches)
        origin = dict(
            config=str(args.config),
            checkpoint=str(checkpoint),
            split=args.split,
        )
        write_results(out, results, origin)
    except (UsageError, FileNotFoundError, ValueError) as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')
    print(f'Results are in {out}/results.md, strips in {out}/strips')


if __name__ == '__main__':
    main()
