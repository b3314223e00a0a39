import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from video_makers import cut_short, drive, texture, write_video

from mmdsr.converters.layout import read_manifest

ROOT = Path(__file__).parents[2]
ENV = {
    'PYTHONPATH': str(ROOT),
    'PATH': '/usr/bin:/bin',
    'OMP_NUM_THREADS': '1',
    'OPENBLAS_NUM_THREADS': '1',
}


def start(*args):
    return subprocess.Popen(
        [
            sys.executable,
            'tools/dataset_converters/video_to_refsr.py',
            *map(str, args),
        ],
        cwd=ROOT,
        env=ENV,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(*args):
    process = start(*args)
    stdout, stderr = process.communicate(timeout=240)
    assert 'Traceback' not in stderr
    return process.returncode, stdout, stderr


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / 'in put'
    write_video(
        folder / 'Straße 1.mpg', drive(texture(80), 6), 'mpeg2video', 25
    )
    write_video(
        folder / 'b.mp4',
        drive(texture(81), 12, 1.05),
        'libx264',
        movflags='faststart',
    )
    return folder


def test_a_data_set_and_its_report(videos, tmp_path):
    out = tmp_path / 'out'
    code, stdout, stderr = run(
        videos, out, '--every', 1, '--window', 2, '--overlays', 'none'
    )
    assert code == 0, stderr
    splits = read_manifest(out)['splits']
    assert splits['train'] == [f'b_{i:06d}' for i in range(12)]
    assert splits['test'] == [f'Straße-1_{i:06d}' for i in range(6)]
    assert '12 training and 6 test samples from 18 frames' in stdout
    assert (out / 'report.html').is_file()
    code, _, stderr = run(videos, out, '--every', 1)
    assert code == 2 and 'exists already' in stderr
    # Nothing is left to do for the same call, which may have been killed
    # when all was written.
    before = (out / 'report.json').stat().st_mtime_ns
    code, again, _ = run(
        videos, out, '--every', 1, '--window', 2, '--overlays', 'none'
    )
    assert code == 0 and '2 videos were finished by an earlier call' in again
    assert again.splitlines()[-1] == stdout.splitlines()[-1]
    assert (out / 'report.json').stat().st_mtime_ns == before
    # Part of it is lost: the rest is written all the same.
    cut_short(videos / 'b.mp4', 0.6)
    (videos / 'empty.avi').write_bytes(b'')
    args = ('--every', 1, '--crop', 0, 0, 192, 160, '--overwrite')
    code, stdout, _ = run(videos, out, *args)
    assert code == 1
    assert 'empty.avi, at 0:00.00: an empty file' in stdout
    assert 'b.mp4, at 0:0' in stdout
    assert 2 <= len(read_manifest(out)['splits']['train']) < 12


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (['--crop', 0, 0, 64, 64, '--overlays', 'auto'], 'not both'),
        (['--overlays', 'none', '--overlays', '0,0,9,9'], 'does not go with'),
        (['--overlays', '0,0,9'], 'neither auto, none nor X,Y,W,H'),
        (['--size', 450, 320], 'multiples of the scale 4'),
        (['--every', 2, '--step-seconds', 1], 'not allowed with'),
        (['--window', 0], 'window must be at least 1'),
        (['--holdout', 'nowhere'], 'There is no run nowhere'),
        (['--holdout', 1.5], 'give a fraction'),
    ],
)
def test_wrong_arguments(videos, tmp_path, args, message):
    code, _, stderr = run(videos, tmp_path / 'out', *args)
    assert code == 2
    assert message in stderr
    assert [path.name for path in tmp_path.iterdir()] == ['in put']


def test_nothing_usable(tmp_path):
    code, _, stderr = run(tmp_path / 'nowhere.mpg', tmp_path / 'out')
    assert code == 2 and 'no file or folder' in stderr
    (tmp_path / 'text.mp4').write_text('no video\n' * 50)
    code, _, stderr = run(tmp_path / 'text.mp4', tmp_path / 'out')
    assert code == 2 and 'No video can be read' in stderr
    loop = tmp_path / 'loop.mp4'
    loop.symlink_to(loop)
    code, _, stderr = run(loop, tmp_path / 'out')
    assert code == 2 and 'circle' in stderr
    assert not (tmp_path / 'out').exists()


@pytest.mark.slow
def test_interrupt_and_go_on(videos, tmp_path):
    write_video(videos / 'c.avi', drive(texture(82), 60, 1.02))
    out = tmp_path / 'out'
    args = (videos, out, '--every', 1, '--overlays', 'none')
    process = start(*args)
    samples = tmp_path / '.out.partial' / 'train' / 'hr'
    limit = time.monotonic() + 120
    while not list(samples.glob('*.png')) and time.monotonic() < limit:
        time.sleep(0.05)
    # As a terminal does: the process that decodes gets it, too.
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert 'the same command goes on' in stderr
    assert 'Traceback' not in stderr
    assert not out.exists()
    with pytest.raises(ProcessLookupError):  # nobody of it is left
        os.killpg(process.pid, 0)
    code, stdout, stderr = run(*args)
    assert code == 0, stderr
    assert '78 frames' in stdout
    assert not (tmp_path / '.out.partial').exists()
