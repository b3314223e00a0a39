"""Reduce a training checkpoint to plain weights that are safe to share.

The result is a state dict of the generator alone, which anyone can load with
``torch.load(..., weights_only=True)``.

Example:
    python tools/model_converters/publish_model.py \
        work_dirs/teacher_quick/iter_3000.pth dsrnet_quick.pth
"""

import argparse
from pathlib import Path

from mmdsr.engine.checkpoint import CheckpointError, publish


def main():
    """Publish."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('checkpoint', help='training checkpoint')
    parser.add_argument('out', help='file to write')
    args = parser.parse_args()
    try:
        count = publish(args.checkpoint, args.out)
    except (CheckpointError, OSError) as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')
    size = Path(args.out).stat().st_size / 1e6
    print(f'{args.out}: {count} tensors, {size:.1f} MB')


if __name__ == '__main__':
    main()
