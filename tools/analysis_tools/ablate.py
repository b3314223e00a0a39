"""Run an ablation study: several configs, one budget, several seeds.

Trains every row with every seed, tests the last weights, and writes a table
(table.md, .csv, .json) and a plot of PSNR against cost (plot.png). The same
command continues after a stop: what is done is kept, what was half done
continues from its checkpoint.

Example:
    python tools/analysis_tools/ablate.py table10 --iters 2000 \
        --data-root data/sewersim --out work_dirs/table10 --jobs 2
    python tools/analysis_tools/ablate.py table11 --iters 2000 \
        --teacher work_dirs/teacher_quick --out work_dirs/table11
    python tools/analysis_tools/ablate.py my_study.yml a.py b.py --seeds 0
"""

import argparse
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from mmdsr.experiments.ablation.experiment import run_study
from mmdsr.experiments.ablation.report import Costing
from mmdsr.experiments.ablation.study import Budget, find_study
from mmdsr.experiments.arguments import (
    add_run_arguments,
    positive,
    run_experiment,
)

STUDIES = Path(__file__).parents[2] / 'configs/ablations'


def parse_args(
    argv: Sequence[str] | None = None,
) -> tuple[ArgumentParser, Namespace]:
    """Return the parser and the parsed arguments."""
    names = ', '.join(sorted(path.stem for path in STUDIES.glob('*.yml')))
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        'study',
        nargs='+',
        help=f'name ({names}), YAML file, or configs, one per row',
    )
    parser.add_argument('--out', help='folder (default: work_dirs/STUDY)')
    parser.add_argument(
        '--iters',
        type=positive,
        help="iterations of every run (default: each config's schedule)",
    )
    parser.add_argument(
        '--crop', type=positive, help='side of the square LR crops'
    )
    parser.add_argument('--batch-size', type=positive)
    parser.add_argument('--data-root', help='training data')
    parser.add_argument(
        '--test-roots',
        nargs='+',
        metavar='DATA_ROOT',
        help=(
            'data to test on, e.g. real frames in addition to the training '
            'data (default: the data root)'
        ),
    )
    parser.add_argument(
        '--teacher',
        help=(
            'checkpoint or working directory of the teacher for distilled rows'
        ),
    )
    parser.add_argument(
        '--max-samples', type=positive, help='test images per data set'
    )
    parser.add_argument(
        '--shape',
        type=positive,
        nargs=2,
        default=(80, 112),
        metavar=('H', 'W'),
        help='LR size for the cost (default: 80 112)',
    )
    parser.add_argument(
        '--repeats',
        type=int,
        default=5,
        help='timed passes per row at the end; 0: no timing (default: 5)',
    )
    add_run_arguments(parser)
    return parser, parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the study."""
    parser, args = parse_args(argv)
    out = Path(args.out or Path('work_dirs', Path(args.study[0]).stem))
    budget = Budget(
        args.iters,
        args.crop,
        args.batch_size,
        args.data_root and str(Path(args.data_root).resolve()),
        args.teacher and str(Path(args.teacher).resolve()),
        args.cfg_options or {},
    )
    run_experiment(
        parser,
        lambda console: run_study(
            find_study(args.study, STUDIES),
            budget,
            out,
            console,
            seeds=args.seeds,
            jobs=args.jobs,
            test_roots=args.test_roots,
            max_samples=args.max_samples,
            costing=Costing(tuple(args.shape), args.repeats),
        ),
        f'Table and plot are in {out}',
    )


if __name__ == '__main__':
    main()
