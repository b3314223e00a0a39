r"""Convert a training checkpoint to weights for publication.

Optimizer, log history, discriminator, teacher and the other weights learned in
distillation are left out; the config is added. The files load without a
config, ``mmdsr.weights.load_published(FILE)``, with ``tools/test.py`` and as a
teacher. Their names end in the first digits of their SHA-256.

Example:
    python tools/model_converters/publish.py configs/dsrnet/teacher_quick.py \
        work_dirs/teacher_quick --out published --fp16 \
        --note data=SewerSim iterations=2000
"""

import argparse
import json
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmdsr.engine.generator import build_generator
from mmdsr.engine.launch import load_config
from mmdsr.engine.options import add_options_argument
from mmdsr.errors import CheckpointError, UsageError
from mmdsr.io.checkpoint import find_checkpoint
from mmdsr.weights.publish import publish


def parse_args(
    argv: Sequence[str] | None = None,
) -> tuple[ArgumentParser, Namespace]:
    """Return the parser and the parsed arguments."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('config', help='config of the training')
    parser.add_argument(
        'checkpoint',
        help='checkpoint, state dict, or a working directory (its best one)',
    )
    parser.add_argument(
        '--out', default='published', help='folder (default: published)'
    )
    parser.add_argument(
        '--name', help='name of the weights (default: the experiment_name)'
    )
    parser.add_argument(
        '--formats',
        nargs='+',
        choices=['safetensors', 'pth'],
        default=['safetensors', 'pth'],
        help='what to write (default: both)',
    )
    parser.add_argument(
        '--fp16', action='store_true', help='store float16, half the size'
    )
    add_options_argument(
        parser,
        'additional entries to store with the weights, e.g. data=SewerSim',
        '--note',
    )
    parser.add_argument(
        '--index',
        action='store_true',
        help=(
            'add the first file to index.json of the folder; with --out '
            'mmdsr/weights it becomes part of the package'
        ),
    )
    parser.add_argument(
        '--replace',
        action='store_true',
        help='replace the weights with this name in the list',
    )
    add_options_argument(
        parser,
        'override values of the config, as in the training',
    )
    return parser, parser.parse_args(argv)


def read_note(text: str) -> Any:  # noqa: ANN401
    """Return a number, or another JSON value, or the text itself."""
    with suppress(ValueError):
        return json.loads(text)
    return str(text)


def main(argv: Sequence[str] | None = None) -> None:
    """Publish."""
    parser, args = parse_args(argv)
    try:
        cfg = load_config(args.config, args.cfg_options)
        # Names a misspelled option before anything is read.
        build_generator(cfg)
        checkpoint = find_checkpoint(args.checkpoint)
        files = publish(
            cfg,
            checkpoint,
            args.out,
            name=args.name,
            half=args.fp16,
            suffixes=[f'.{name}' for name in args.formats],
            notes={key: read_note(t) for key, t in (args.note or {}).items()},
            index=args.index,
            replace=args.replace,
        )
    except (UsageError, CheckpointError, OSError) as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')
    print(f'Weights of {checkpoint}')
    for path, sha256, size in files:
        print(f'{path} ({size / 1e6:.2f} MB)\n  SHA-256 {sha256}')
    if args.index:
        path, sha256, _ = files[0]
        print(
            f'Listed in {Path(args.out, "index.json")}. For the metafile of '
            f'the model:\n    Weights: {path}\n    SHA-256: {sha256}'
        )


if __name__ == '__main__':
    main()
