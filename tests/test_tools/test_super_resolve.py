"""tools/super_resolve.py as a user runs it."""

import os
import shutil
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from tool_runs import ROOT, environment, run

TOOL = 'super_resolve.py'


@pytest.fixture
def frames(tmp_path):
    """Make four frames in two folders, with their references elsewhere."""
    rng = np.random.default_rng(0)
    for name in ('a/1.png', 'a/2.png', 'b/1.png', 'b/2.png'):
        for folder, size in (('in', (16, 20, 3)), ('refs', (32, 40, 3))):
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), rng.integers(0, 256, size, np.uint8))
    return tmp_path / 'in'


def count(folder):
    return len(list(folder.rglob('*.png')))


def start(*args, **variables):
    return subprocess.Popen(
        [sys.executable, str(ROOT / 'tools' / TOOL), *map(str, args)],
        cwd=ROOT,
        env={**environment(), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_folder_with_a_broken_image(frames, tmp_path):
    (frames / 'b' / '3.png').write_bytes(b'no image')
    out = tmp_path / 'out'
    options = ('--weights', 'dsrnet_nano_quick', '--reference', 'file')
    options += ('--refs', tmp_path / 'refs')
    done = run(TOOL, frames, out, *options, check=False)
    assert done.returncode == 1, done.stderr
    assert 'b/3.png: unreadable: not an image' in done.stderr
    assert '4 of 5 images written' in done.stderr
    assert cv2.imread(str(out / 'b' / '2.png')).shape == (64, 80, 3)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--interpolation', 'cubic'], 'invalid choice'),
        (['--config', 'configs/dsrnet/student.py'], 'set checkpoint to'),
    ],
)
def test_wrong_usage(frames, tmp_path, options, message):
    done = run(TOOL, frames, tmp_path / 'out', *options, check=False)
    assert done.returncode == 2
    assert message in done.stderr and 'Traceback' not in done.stderr
    assert not (tmp_path / 'out').exists()


def test_two_processes(frames, tmp_path):
    out = tmp_path / 'out'
    processes = [
        start(
            frames,
            out,
            '--interpolation',
            'nearest',
            RANK=str(rank),
            WORLD_SIZE='2',
        )
        for rank in (0, 1)
    ]
    for rank, process in enumerate(processes):
        text, _ = process.communicate(timeout=300)
        assert process.returncode == 0, text
        assert f'Process {rank} of 2: 2 of 2 images written' in text
    assert count(out) == 4


def test_interrupted(frames, tmp_path):
    for number in range(400):
        shutil.copy(frames / 'a' / '1.png', frames / 'a' / f'x{number}.png')
    out = tmp_path / 'out'
    process = start(frames, out, '--weights', 'dsrnet_nano_quick')
    limit = time.monotonic() + 300
    while not count(out) and process.poll() is None:
        assert time.monotonic() < limit
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 130, text
    assert 'the same command goes on' in text and 'Traceback' not in text
    assert 0 < count(out) < 404
    assert not list(out.rglob('.*'))
