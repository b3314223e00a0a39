"""Options that a job launcher passes to a command."""

import argparse
import os


def add_launcher_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--launcher`` and the options that torch's launcher passes.

    Args:
        parser: The parser.
    """
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='job launcher',
    )
    # torch passes the first spelling before 2.0, and the second one since.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def set_local_rank(args: argparse.Namespace) -> None:
    """Tell mmengine the rank of this process on its machine.

    Args:
        args: Parsed arguments.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
