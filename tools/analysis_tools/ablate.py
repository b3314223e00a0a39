r"""Run an ablation study: several configs, one budget, several seeds.

Trains every row with every seed, tests the last weights, and writes a table
(table.md, .csv, .json) and a plot of PSNR against cost (plot.png). After an
interruption, the same command continues: finished runs are kept, and
unfinished runs resume from their checkpoints.

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

from mmdsr.engine.options import add_options_argument
from mmdsr.experiments.ablation.experiment import run_study
from mmdsr.experiments.ablation.report import Costing
from mmdsr.experiments.ablation.study import Budget, find_study
from mmdsr.experiments.arguments import run_experiment
from mmdsr.experiments.options import StudyOptions

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
    for kind in (Budget, StudyOptions, Costing):
        kind.add_to(parser)
    add_options_argument(parser, 'override values of all configs')
    return parser, parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the study."""
    parser, args = parse_args(argv)
    out = Path(args.out or Path('work_dirs', Path(args.study[0]).stem))
    run_experiment(
        parser,
        lambda console: run_study(
            find_study(args.study, STUDIES),
            Budget.read(args, options=args.cfg_options or {}),
            out,
            console,
            StudyOptions.read(args),
            Costing.read(args),
        ),
        f'Table and plot are in {out}',
    )


if __name__ == '__main__':
    main()
