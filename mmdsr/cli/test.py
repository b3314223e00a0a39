"""Evaluate a checkpoint on the test data of a config.

Example:
    mmdsr test configs/dsrnet/teacher_quick.py weights.pth
    mmdsr test CONFIG work_dirs/teacher_quick --out results.json
    mmdsr test CONFIG weights.pth --cfg-options model.test_cfg.depth=zero
    mmdsr test configs/downstream/mmseg/fcn_quick.py WEIGHTS --input sr

The checkpoint is a file of a training, a plain state dict, or the folder of a
training, of which the best checkpoint is used, or the newest one if none is
marked as best. It is read without running code from it (``weights_only=True``,
or an unpickler that only knows the types of mmengine), and must match the
config exactly.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import mmengine
from mmengine.dist import is_main_process

from mmdsr.cli.launcher import add_launcher_arguments, set_local_rank
from mmdsr.engine.launch import (
    enable_tta,
    leave_distributed,
    load_config,
    test,
)
from mmdsr.engine.options import add_options_argument
from mmdsr.engine.sr_input import add_input_argument
from mmdsr.errors import UsageError


def parse_args(
    argv: Sequence[str] | None = None, prog: str | None = None
) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """Return the parser and the parsed arguments."""
    parser = argparse.ArgumentParser(prog=prog, description='Test a model')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        'checkpoint', help='checkpoint, state dict, or folder of a training'
    )
    parser.add_argument(
        '--out', help='file for the metrics: .json, .yml or .pkl'
    )
    parser.add_argument('--work-dir', help='folder for logs and pictures')
    parser.add_argument(
        '--tta',
        action='store_true',
        help='test-time augmentation with tta_model and tta_pipeline of the '
        'config (for models of the host packages)',
    )
    add_input_argument(parser)
    add_options_argument(parser)
    add_launcher_arguments(parser)
    args = parser.parse_args(argv)
    set_local_rank(args)
    return parser, args


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command; return the exit code."""
    parser, args = parse_args(argv, prog)
    suffixes = ('.json', '.yml', '.yaml', '.pkl')
    try:
        # Check these before the test, which may take a long time.
        if args.out and not args.out.endswith(suffixes):
            raise UsageError(f'--out must end in one of {suffixes}.')
        if args.out and not os.access(Path(args.out).parent, os.W_OK):
            raise UsageError(
                f'--out: {Path(args.out).parent} is not a writable folder.'
            )
        cfg = load_config(
            args.config,
            args.cfg_options,
            args.work_dir,
            args.launcher,
            args.input,
        )
        if args.tta:
            enable_tta(cfg)
        metrics = test(cfg, args.checkpoint)
    except UsageError as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')
    if args.out and is_main_process():
        mmengine.dump(metrics, args.out)
        print(f'Metrics were written to {args.out}')
    leave_distributed()
    return 0
