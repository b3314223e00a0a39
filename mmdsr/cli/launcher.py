"""What a job launcher tells a command."""

import os


def add_launcher_arguments(parser):
    """Add ``--launcher`` and what torch's launcher passes on.

    Args:
        parser (argparse.ArgumentParser): The parser.
    """
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='job launcher',
    )
    # Both spellings: torch passed one before 2.0 and the other since.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def set_local_rank(args):
    """Let mmengine know the rank of this process on its machine.

    Args:
        args (argparse.Namespace): Parsed arguments.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
