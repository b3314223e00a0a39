r"""Compute the flow of each sample of a data set once and store it next to it.

An aligner that is not being trained need not run at every training step:
mmdsr.LoadAlignment reads the stored files, SPLIT/align-NAME/STEM.npy. Repeat
an interrupted command to resume it. Each name belongs to one aligner; the
results of another aligner are refused under that name.

Examples:
    mmdsr convert alignment data/photos-refsr \
        --name dis
    mmdsr convert alignment data/sewersim-sr \
        --name flownet_light --config configs/dsrnet_x/flownet_light.py \
        --checkpoint work_dirs/flownet_light
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dataset import Compose
from rich.progress import track
from torch import nn

from mmdsr.datasets.alignment_cache import Alignments
from mmdsr.engine.generator import build_generator
from mmdsr.engine.launch import load_config
from mmdsr.errors import UsageError
from mmdsr.io.checkpoint import find_checkpoint, load_generator
from mmdsr.io.console import plain_console
from mmdsr.io.manifest import SPLITS
from mmdsr.registry import MODELS, TRANSFORMS


def parse_args(
    argv: Sequence[str] | None = None, prog: str | None = None
) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """Return the parser and the parsed arguments."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('data_root', type=Path, help='data set')
    parser.add_argument(
        '--name',
        required=True,
        help='name of the cache; "dis" needs no config',
    )
    parser.add_argument('--config', help='config of a mmdsr.FlowEditor')
    parser.add_argument('--checkpoint', help='file or working directory')
    parser.add_argument(
        '--splits', nargs='+', choices=SPLITS, default=list(SPLITS)
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace existing files'
    )
    args = parser.parse_args(argv)
    if not re.fullmatch(r'[a-z0-9][a-z0-9_-]*', args.name):
        parser.error(
            f'the name {args.name!r} may only consist of a-z, 0-9, - and _, '
            'and must begin with a letter or digit'
        )
    if (args.config is None) != (args.checkpoint is None):
        parser.error('--config and --checkpoint must be given together')
    if args.config is None and args.name != 'dis':
        parser.error(
            'give --config and --checkpoint of a trained aligner, or the '
            'name "dis" for OpenCV\'s'
        )
    if args.config is not None and args.name == 'dis':
        parser.error('"dis" is OpenCV\'s aligner: choose another name')
    return parser, args


def build_aligner(
    config: str | None, checkpoint: str | None = None
) -> tuple[nn.Module, Compose | None, dict[str, Any]]:
    """Build the aligner of a training, or OpenCV's.

    Returns:
        The aligner, the transforms that load its depth maps (None if it
        takes none), and the configs of both.
    """
    if config is None or checkpoint is None:
        dis = dict(type='mmdsr.DISAligner')
        return MODELS.build(dis).eval(), None, dict(aligner=dis)
    cfg = load_config(config)
    if cfg.get('model', {}).get('type') != 'mmdsr.FlowEditor':
        raise UsageError(
            f'{config} does not train an aligner: give the config and the '
            'checkpoint of its aligner, such as '
            'configs/dsrnet_x/flownet_light.py.'
        )
    aligner = build_generator(cfg)
    load_generator(aligner, find_checkpoint(checkpoint))
    aligner.eval()
    if not getattr(aligner, 'depth_input', False):
        return aligner, None, dict(aligner=cfg.model.generator)
    steps = [
        step
        for step in cfg.test_dataloader.dataset.pipeline
        if step['type'] == 'mmdsr.LoadDepth'
    ]
    load_depth = Compose([TRANSFORMS.build(step) for step in steps])
    return aligner, load_depth, dict(aligner=cfg.model.generator, depth=steps)


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command; return the exit code."""
    parser, args = parse_args(argv, prog)
    console = plain_console(stderr=True)
    try:
        splits = [s for s in args.splits if (args.data_root / s).is_dir()]
        if not splits:
            raise FileNotFoundError(
                f'{args.data_root} has no folder {" or ".join(args.splits)}: '
                'it is not a data set.'
            )
        aligner, load_depth, settings = build_aligner(
            args.config, args.checkpoint
        )
        for split in splits:
            made = 0
            for new in track(
                Alignments(
                    aligner,
                    args.data_root,
                    split,
                    args.name,
                    args.overwrite,
                    load_depth,
                    settings,
                ),
                description=split,
                console=console,
            ):
                made += new
            print(f'{args.data_root / split}: {made} samples aligned')
    except (UsageError, ValueError, OSError) as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')
    except KeyboardInterrupt:
        goal = 'start again' if args.overwrite else 'resume'
        console.print(f'Interrupted: repeat the command to {goal}.')
        return 130
    return 0
