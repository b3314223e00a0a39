r"""Measure whether data loading slows down the training of a config.

Prints what each transform costs, samples/s of loading alone for several
numbers of workers, of the training step alone, and of both together.

Example:
    python tools/analysis_tools/benchmark_loading.py \
        configs/dsrnet/teacher_quick.py data/sewersim --workers 0 1 2
"""

import argparse
import json
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from mmdsr.analysis import benchmark_loading
from mmdsr.engine.launch import check_data, load_config
from mmdsr.engine.options import add_options_argument
from mmdsr.errors import UsageError
from mmdsr.io.console import plain_console
from mmdsr.io.files import write_bytes


def parse_args(
    argv: Sequence[str] | None = None,
) -> tuple[ArgumentParser, Namespace]:
    """Return the parser and the parsed arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config file')
    parser.add_argument(
        'data_root',
        nargs='?',
        help='data set; by default the one of the config',
    )
    parser.add_argument(
        '--workers',
        type=int,
        nargs='+',
        default=[0, 1, 2],
        help='numbers of workers to try (default 0 1 2)',
    )
    parser.add_argument(
        '--samples',
        type=int,
        default=200,
        help='per measurement of loading (default 200)',
    )
    parser.add_argument(
        '--steps',
        type=int,
        default=20,
        help='per measurement of training (default 20)',
    )
    parser.add_argument(
        '--rounds', type=int, default=3, help='measurements (default 3)'
    )
    parser.add_argument(
        '--warmup', type=int, default=4, help='batches before (default 4)'
    )
    parser.add_argument(
        '--no-train', action='store_true', help='measure loading only'
    )
    parser.add_argument('--threads', type=int, help='CPU threads of torch')
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu'
    )
    parser.add_argument('--out', type=Path, help='write a JSON file')
    add_options_argument(parser)
    return parser, parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser, args = parse_args(argv)
    progress = plain_console(stderr=True)
    if args.threads is not None:
        if args.threads < 1:
            parser.error('--threads must be at least 1')
        torch.set_num_threads(args.threads)
    try:
        cfg = load_config(args.config, args.cfg_options)
        if args.data_root:
            cfg.train_dataloader.dataset.data_root = args.data_root
        check_data(cfg, ['train_dataloader'])
        with progress.status('preparing') as status:
            report = benchmark_loading.measure_loading(
                cfg,
                workers=args.workers,
                samples=args.samples,
                steps=args.steps,
                rounds=args.rounds,
                warmup=args.warmup,
                device=args.device,
                train=not args.no_train,
                progress=status.update,
            )
    except (UsageError, ValueError, OSError) as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')
    console = Console()
    for table in benchmark_loading.rich_table(report):
        console.print(table)
    if args.out:
        text = json.dumps(benchmark_loading.to_json(report), indent=1) + '\n'
        write_bytes(args.out, text.encode())
        print(f'Written: {args.out}')


if __name__ == '__main__':
    main()
