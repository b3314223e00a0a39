r"""Does super-resolution help a task? Train, test and tabulate.

Makes LR, bicubic and super-resolved versions of a data set, trains the
networks of the tasks, tests them on every version, and writes per task the
paper's table (table.md, .csv, .json), bars (plot.png) and pictures
(pictures.png). After an interruption, the same command continues: finished
runs are kept, and unfinished runs resume from their checkpoints.

Example:
    python tools/downstream.py fcn
    python tools/downstream.py all --jobs 2 --seeds 0 1 2 \
        --sr dsrnet_x_nano,dsrnet_teacher_quick
    python tools/downstream.py my_hr_config.py --protocol same \
        --sr mine=configs/dsrnet/student.py:work_dirs/student
"""

import argparse
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from mmdsr.engine.options import add_options_argument
from mmdsr.experiments.arguments import run_experiment
from mmdsr.experiments.downstream.experiment import TaskOptions, run_tasks
from mmdsr.experiments.downstream.task import TASKS, find_tasks

CONFIGS = Path(__file__).parents[1] / 'configs/downstream'


def names(text: str) -> list[str]:
    """Parse names between commas."""
    return [part for part in text.split(',') if part]


def parse_args(
    argv: Sequence[str] | None = None,
) -> tuple[ArgumentParser, Namespace]:
    """Return the parser and the parsed arguments."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        'task',
        nargs='+',
        help=f"{', '.join(TASKS)}, all (the paper's seven), or a config of a "
        "host's network on HR images",
    )
    parser.add_argument(
        '--sr',
        type=names,
        default=['dsrnet_x_nano'],
        metavar='MODEL,...',
        help='super-resolution models: names or files of published weights, '
        'or CONFIG:CHECKPOINT; LABEL=MODEL names a column, MODEL+neighbor '
        'has the frame before as its reference (default: dsrnet_x_nano)',
    )
    parser.add_argument(
        '--out',
        default='work_dirs/downstream',
        help='folder (default: work_dirs/downstream)',
    )
    TaskOptions.add_to(parser)
    add_options_argument(parser, 'override values of all configs')
    return parser, parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tasks."""
    parser, args = parse_args(argv)
    run_experiment(
        parser,
        lambda console: run_tasks(
            find_tasks(args.task, CONFIGS, bool(args.full)),
            args.sr,
            Path(args.out),
            console,
            TaskOptions.read(args),
            args.cfg_options,
        ),
        f'Tables, plots and pictures are in {args.out}',
    )


if __name__ == '__main__':
    main()
