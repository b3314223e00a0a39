"""Kill the tools that write much, and see whether they continue as if nothing.

Example:
    python tools/dev/kill_test.py
    python tools/dev/kill_test.py train --kills 5

Each tool is killed (SIGKILL) at random moments and restarted with the same
command, until it is through: the files must be those of a run that was never
killed, and nothing else may be left. The exit code is 1 if not.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mmdsr.dev.kill import kill_test, small_files
from mmdsr.dev.recordings import write_recording
from mmdsr.dev.views import drive, texture

ROOT = Path(__file__).resolve().parents[2]
#: Files of mmengine's that differ in any two trainings.
LOGS = ('2*_*', '2*_*/*', '2*_*/*/*', '2*_*/*/*/*', 'run.py')


def make_sewersim(folder: Path) -> Callable[[Path], list[str]]:
    """A few frames of the simulator."""
    size = ['--size', '64', '64', '--runs', '4', '--frames', '2']
    tool = ROOT / 'tools/dataset_converters/make_sewersim.py'
    return lambda out: [
        sys.executable,
        str(tool),
        str(out),
        *size,
        '--workers',
        '2',
    ]


def super_resolve(folder: Path) -> Callable[[Path], list[str]]:
    """A folder of images, enlarged by the bundled network."""
    tool = ROOT / 'tools/super_resolve.py'
    batch = ['--batch-size', '1']
    return lambda out: [
        sys.executable,
        str(tool),
        str(folder / 'images'),
        str(out),
        *batch,
    ]


def video_to_refsr(folder: Path) -> Callable[[Path], list[str]]:
    """A recording, made into a data set."""
    tool = ROOT / 'tools/dataset_converters/video_to_refsr.py'
    options = ['--holdout', '0', '--step-seconds', '0.1']
    return lambda out: [
        sys.executable,
        str(tool),
        str(folder / 'drive.mp4'),
        str(out),
        *options,
    ]


def enhance_recording(folder: Path) -> Callable[[Path], list[str]]:
    """A recording with sound, enlarged into a film of ten segments."""
    source = folder / 'sound.mp4'
    pictures = drive(texture(), 240, 1.03, size=(64, 48), turn=12)
    write_recording(source, pictures, sound=True)
    options = ['--interpolation', 'bicubic', '--text', 'none']
    return lambda out: [
        sys.executable,
        '-m',
        'mmdsr',
        'enhance',
        str(source),
        str(out.with_suffix('.mp4')),
        *options,
    ]


def enhance_frames(folder: Path) -> Callable[[Path], list[str]]:
    """A recording, enlarged into frames with records and confidence."""
    source = folder / 'short.mp4'
    write_recording(source, drive(24))
    options = ['--confidence', '--scale', '1', '--text', 'none']
    return lambda out: [
        sys.executable,
        '-m',
        'mmdsr',
        'enhance',
        str(source),
        str(out),
        *options,
    ]


def train(folder: Path) -> Callable[[Path], list[str]]:
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
    tool = ROOT / 'tools/train.py'
    return lambda out: [
        sys.executable,
        str(tool),
        str(config),
        '--work-dir',
        str(out),
        '--resume',
    ]


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
