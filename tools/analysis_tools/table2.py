r"""Table 2 of the paper and Figs. 6 to 9: every compared method, one budget.

Trains all rows with every seed, tests the last weights by both protocols that
the paper mixed, and writes table.md, .csv, .json, fig7.png and, per data set,
figures/NAME/fig6.png, fig8.png, fig9.png. After an interruption, the same
command continues and keeps finished runs.

Example:
    python tools/analysis_tools/table2.py --iters 2000 \
        --data-root data/sewersim --out work_dirs/table2 --jobs 2
    python tools/analysis_tools/table2.py --minutes 20 --seeds 0 1 2
    python tools/analysis_tools/table2.py full
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmdsr.engine.options import add_options_argument
from mmdsr.experiments.ablation.study import Budget, find_study
from mmdsr.experiments.arguments import run_experiment
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
    Budget.add_to(parser, leave_out=['teacher'])
    Options.add_to(parser)
    add_options_argument(parser, 'override values of all configs')
    return parser, parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Make the table."""
    parser, args = parse_args(argv)
    run_experiment(
        parser,
        lambda console: run_table2(
            find_study(args.study, STUDIES),
            Budget.read(args, options=args.cfg_options or {}),
            Options.read(args),
            console,
        ),
        f'Table and figures are in {args.out or Options.out}',
    )


if __name__ == '__main__':
    main()
