"""Kill long-running tools and check that they resume correctly.

Example:
    python tools/dev/kill_test.py
    python tools/dev/kill_test.py train --kills 5

Each tool is killed (SIGKILL) at random moments and restarted with the same
command until it finishes. Its files must equal those of an uninterrupted run,
without leftovers; otherwise, the exit code is 1.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from mmdsr.dev.kill import kill_test, small_files
from mmdsr.dev.recordings import write_recording
from mmdsr.dev.views import drive, texture

ROOT = Path(__file__).resolve().parents[2]
#: Stands for the output in a command line.
OUT = object()
#: Returns a command line, given the output.
Command: TypeAlias = Callable[[Path], list[str]]
#: Files of mmengine's that differ in any two trainings.
LOGS = ('2*_*', '2*_*/*', '2*_*/*/*', '2*_*/*/*/*', 'run.py')


def _command(*words: object, suffix: str = '') -> Command:
    """Return the command line of a Python program, given its output.

    Args:
        words: Its arguments; :data:`OUT` stands for the output.
        suffix: Suffix of the output.
    """

    def line(out: Path) -> list[str]:
        target = out.with_suffix(suffix) if suffix else out
        filled = [target if word is OUT else word for word in words]
        return [sys.executable, *map(str, filled)]

    return line


def make_sewersim(folder: Path) -> Command:
    """A few frames of the simulator."""
    return _command(
        *(ROOT / 'tools/dataset_converters/make_sewersim.py', OUT),
        *('--size', 64, 64, '--runs', 4, '--frames', 2, '--workers', 2),
    )


def super_resolve(folder: Path) -> Command:
    """A folder of images, enhanced by the bundled network."""
    return _command(
        *(ROOT / 'tools/super_resolve.py', folder / 'images', OUT),
        *('--batch-size', 1),
    )


def video_to_refsr(folder: Path) -> Command:
    """A recording, converted to a data set."""
    tool = ROOT / 'tools/dataset_converters/video_to_refsr.py'
    return _command(
        *(tool, folder / 'drive.mp4', OUT),
        *('--holdout', 0, '--step-seconds', 0.1),
    )


def enhance_recording(folder: Path) -> Command:
    """A recording with sound, enhanced to a film of ten segments."""
    source = folder / 'sound.mp4'
    pictures = drive(texture(), 240, 1.03, size=(64, 48), turn=12)
    write_recording(source, pictures, sound=True)
    return _command(
        *('-m', 'mmdsr', 'enhance', source, OUT),
        *('--interpolation', 'bicubic', '--text', 'none'),
        suffix='.mp4',
    )


def enhance_frames(folder: Path) -> Command:
    """A recording, enhanced to frames with records and confidence."""
    source = folder / 'short.mp4'
    write_recording(source, drive(texture(), 24, 1.03, size=(96, 80)))
    return _command(
        *('-m', 'mmdsr', 'enhance', source, OUT),
        *('--confidence', '--scale', 1, '--text', 'none'),
    )


def train(folder: Path) -> Command:
    """A training of eight iterations with a checkpoint after each two."""
    from mmdsr.io.layout import RefSRWriter

    rng = np.random.default_rng(0)
    with RefSRWriter(folder / 'data') as writer:
        for number in range(4):
            hr = rng.integers(0, 256, (128, 128, 3), dtype=np.uint8)
            split = 'train' if number < 3 else 'test'
            writer.add(split, f'{split}0_{number}', hr, hr)
    small = dict(
        channels=8,
        encoder_blocks=(1, 1, 1),
        decoder_blocks=(1,) * 6,
        depth_net=dict(base_channels=8),
    )
    data = dict(dataset=dict(data_root=str(folder / 'data')), num_workers=0)
    config = folder / 'run.py'
    config.write_text(
        f'_base_ = {str(ROOT / "configs/dsrnet/teacher_quick.py")!r}\n'
        f'model = dict(generator={small!r})\n'
        f'train_dataloader = {dict(data, batch_size=1)!r}\n'
        f'val_dataloader = {data!r}\n'
        f'test_dataloader = {data!r}\n'
        'train_cfg = dict(max_iters=8, val_interval=4)\n'
        'default_hooks = dict(checkpoint=dict(interval=2))\n'
    )
    return _command(
        *(ROOT / 'tools/train.py', config, '--work-dir', OUT, '--resume')
    )


TOOLS = {
    tool.__name__: tool
    for tool in (
        make_sewersim,
        super_resolve,
        video_to_refsr,
        enhance_recording,
        enhance_frames,
        train,
    )
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        'tools',
        nargs='*',
        metavar='TOOL',
        help=f'{", ".join(TOOLS)} (default: all)',
    )
    parser.add_argument('--kills', type=int, default=30, help='of each tool')
    parser.add_argument('--seed', type=int, default=0, help='of the moments')
    args = parser.parse_args(argv)
    unknown = set(args.tools) - TOOLS.keys()
    if unknown or args.kills < 1:
        parser.error(f'wrong: {", ".join(unknown) or "--kills"}')
    rng, faults = np.random.default_rng(args.seed), 0
    for name in args.tools or TOOLS:
        with tempfile.TemporaryDirectory() as folder:
            inputs = Path(folder, 'in')
            small_files(inputs)
            result = kill_test(
                TOOLS[name](inputs), Path(folder), args.kills, rng, LOGS
            )
        print(
            f'{name}: {result.kills} kills, {result.rounds} times through, '
            f'{len(result.faults)} faults',
            flush=True,
        )
        for fault in result.faults:
            print(f'  {fault}')
        faults += len(result.faults)
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
