"""Time a config's network part by part, or networks in all backends."""

import argparse
import sys
from argparse import Namespace
from collections.abc import Sequence

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mmdsr.analysis.benchmark_backends import cells, measure, table
from mmdsr.analysis.benchmark_report import DTYPES, Report
from mmdsr.engine.launch import load_config
from mmdsr.engine.options import add_options_argument
from mmdsr.errors import UsageError
from mmdsr.experiments.arguments import positive
from mmdsr.inference.budget import cpu_count
from mmdsr.io.console import plain_console

#: Names of the options that only the network of a config has.
_OF_CONFIGS = (
    'shape',
    'device',
    'train',
    'amp',
    'compile',
    'matching',
    'cfg_options',
)


def parse_args(argv: Sequence[str] | None = None) -> Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'config', nargs='?', help='config with a model.generator'
    )
    parser.add_argument(
        '--backends',
        nargs='+',
        metavar='NAME',
        help=(
            'instead of a config: compare published weights, with a '
            'reference, in every installed backend and precision'
        ),
    )
    parser.add_argument(
        '--shape',
        type=int,
        nargs=2,
        metavar=('H', 'W'),
        help='size of LR; Ref is four times larger (default: 80 112)',
    )
    parser.add_argument('--device', help='default: cpu')
    parser.add_argument('--repeats', type=positive, default=5)
    parser.add_argument('--threads', type=positive, help='CPU threads')
    parser.add_argument(
        '--train', action='store_true', help='also time a training step'
    )
    parser.add_argument(
        '--amp', choices=DTYPES, help=('use autocast with this type')
    )
    parser.add_argument(
        '--compile',
        action='store_true',
        help='time the network under torch.compile, as a whole',
    )
    parser.add_argument(
        '--matching',
        action='store_true',
        help='compare matching with the literal, unfolding version',
    )
    add_options_argument(parser)
    args = parser.parse_args(argv)
    if (args.config is None) == (args.backends is None):
        parser.error('give a config, or --backends with names of weights')
    given = [
        '--' + name.replace('_', '-')
        for name in _OF_CONFIGS
        if getattr(args, name) not in (None, False)
    ]
    if args.backends and given:
        options = ', '.join(given)
        parser.error(
            f'{options} would have no effect with --backends, which measures '
            f'at fixed sizes on the CPU: leave out {options}, or give a '
            'config instead'
        )
    args.shape = args.shape or (80, 112)
    args.device = args.device or 'cpu'
    if min(args.shape) < 16:
        parser.error('--shape must be at least 16 16')
    return args


def compare(args: Namespace) -> Table:
    """Measure every network, backend and precision.

    Args:
        args: Of :func:`parse_args`.
    """
    wanted = list(
        cells(
            args.backends,
            repeats=args.repeats,
            threads=args.threads or cpu_count(),
        )
    )
    return table(
        [
            (cell, measure(cell))
            for cell in track(wanted, console=plain_console(stderr=True))
        ]
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    console = Console()
    if args.threads:
        torch.set_num_threads(args.threads)
    try:
        if args.backends:
            console.print(compare(args))
            return
        cfg = load_config(args.config, args.cfg_options)
        report = Report(
            cfg,
            args.shape,
            args.device,
            args.amp,
            args.repeats,
        )
        matching = report.matching() if args.matching else []
    except (UsageError, FileNotFoundError, ValueError, RuntimeError) as error:
        print(f'benchmark.py: error: {error}', file=sys.stderr)
        sys.exit(2)
    console.print(report.machine())
    for line in matching:
        console.print(line)
    console.print(report.forward(args.compile))
    if args.train:
        console.print(report.training())


if __name__ == '__main__':
    main()
