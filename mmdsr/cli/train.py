"""Train a model.

Example:
    mmdsr train configs/dsrnet/teacher_quick.py
    mmdsr train configs/dsrnet/teacher_plus.py --resume --amp
    mmdsr train configs/downstream/mmseg/fcn_quick.py --input sr
    tools/dist_train.sh configs/dsrnet/teacher_plus.py 2

``--resume`` continues from the newest checkpoint of the working directory
and gives the same weights as a run that was never stopped. Checkpoints are
read without running code from them; see ``mmdsr.io.checkpoint``.
"""

import argparse
from collections.abc import Sequence

from mmdsr.cli.launcher import add_launcher_arguments, set_local_rank
from mmdsr.engine.launch import (
    enable_amp,
    leave_distributed,
    load_config,
    set_resume,
    train,
)
from mmdsr.engine.options import add_options_argument
from mmdsr.engine.sr_input import add_input_argument
from mmdsr.errors import UsageError


def parse_args(
    argv: Sequence[str] | None = None, prog: str | None = None
) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """Return the parser and the parsed arguments."""
    parser = argparse.ArgumentParser(prog=prog, description='Train a model')
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='auto|PATH',
        help='resume from the newest checkpoint of the working directory, or '
        'from the given one',
    )
    parser.add_argument(
        '--amp', action='store_true', help='mixed precision (CUDA)'
    )
    add_input_argument(parser)
    add_options_argument(
        parser,
        'override values of the config, e.g. '
        'train_dataloader.dataset.data_root=data/x train_cfg.max_iters=100',
    )
    add_launcher_arguments(parser)
    args = parser.parse_args(argv)
    set_local_rank(args)
    return parser, args


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command; return the exit code."""
    parser, args = parse_args(argv, prog)
    try:
        cfg = load_config(
            args.config,
            args.cfg_options,
            args.work_dir,
            args.launcher,
            args.input,
        )
        if args.amp:
            enable_amp(cfg)
        set_resume(cfg, args.resume)
        train(cfg)
    except UsageError as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')
    except KeyboardInterrupt:
        # 130 is what a shell reports for Ctrl-C.
        parser.exit(130, 'Interrupted: repeat the command with --resume.\n')
    print(f'Logs and checkpoints are in {cfg.work_dir}')
    leave_distributed()
    return 0
