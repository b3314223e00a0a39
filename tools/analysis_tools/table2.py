"""Table 2 of the paper and Figs. 6 to 9: every compared method, one budget.

Trains all rows with every seed, tests the last weights by both protocols that
the paper mixed, and writes table.md, .csv, .json, fig7.png and, per data set,
figures/NAME/fig6.png, fig8.png, fig9.png. The same command continues after a
stop: what is done is kept.

Example:
    python tools/analysis_tools/table2.py --iters 2000 \
        --data-root data/sewersim --out work_dirs/table2 --jobs 2
    python tools/analysis_tools/table2.py --minutes 20 --seeds 0 1 2
    python tools/analysis_tools/table2.py full
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmdsr.experiments.ablation.study import Budget, find_study
from mmdsr.experiments.arguments import (
    add_run_arguments,
    positive,
    run_experiment,
)
from mmdsr.experiments.table2.experiment import Options, run_table2

STUDIES = Path(__file__).parents[2] / 'configs/table2'


def parse_args(
    argv: Sequence[str] | None = None,
) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """Return the parser and the parsed arguments."""
    names = ', '.join(sorted(path.stem for path in STUDIES.glob('*.yml')))
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        'study',
        nargs='*',
        default=['quick'],
        help=f'name ({names}), YAML file, or configs (default: quick)',
    )
    parser.add_argument('--out', help='folder (default: work_dirs/table2)')
    parser.add_argument(
        '--iters',
        type=positive,
        help="iterations of every run (default: each config's schedule)",
    )
    parser.add_argument(
        '--minutes',
        type=float,
        help=(
            'time of every run instead: the number of iterations that fit '
            'into it, from the measured time of a step'
        ),
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
        help='data to test on (default: the data root)',
    )
    parser.add_argument(
        '--max-samples', type=positive, help='test images per data set'
    )
    add_run_arguments(parser)
    return parser, parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Make the table."""
    parser, args = parse_args(argv)
    out = Path(args.out or 'work_dirs/table2')
    budget = Budget(
        args.iters,
        args.crop,
        args.batch_size,
        args.data_root and str(Path(args.data_root).resolve()),
        options=args.cfg_options or {},
    )
    run_experiment(
        parser,
        lambda console: run_table2(
            find_study(args.study, STUDIES),
            budget,
            Options(
                out,
                args.seeds,
                args.jobs,
                args.minutes,
                args.test_roots,
                args.max_samples,
            ),
            console,
        ),
        f'Table and figures are in {out}',
    )


if __name__ == '__main__':
    main()
