import os
import signal
import subprocess
import time
from functools import partial

import pytest
import tool_runs
from video_makers import cut_short, write_video

from mmdsr.dev.views import drive, texture
from mmdsr.io.layout import read_manifest

TOOL = 'dataset_converters/video_to_refsr.py'
call = partial(tool_runs.call, TOOL)


def start(*args):
    return subprocess.Popen(
        tool_runs.command(TOOL, *args),
        env=tool_runs.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


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
    done = call(videos, out, '--every', 1, '--window', 2, '--overlays', 'none')
    assert done.returncode == 0, done.stderr
    splits = read_manifest(out)['splits']
    assert splits['train'] == [f'b_{i:06d}' for i in range(12)]
    assert splits['test'] == [f'Straße-1_{i:06d}' for i in range(6)]
    assert '12 training and 6 test samples from 18 frames' in done.stdout
    assert (out / 'report.html').is_file()
    again = call(videos, out, '--every', 1)
    assert again.returncode == 2
    assert 'already exists' in again.stderr
    # Nothing is left to do for the same call, which may have been killed
    # when all was written.
    before = (out / 'report.json').stat().st_mtime_ns
    again = call(
        videos, out, '--every', 1, '--window', 2, '--overlays', 'none'
    )
    assert again.returncode == 0
    assert '2 videos were finished by an earlier command' in again.stdout
    assert again.stdout.splitlines()[-1] == done.stdout.splitlines()[-1]
    assert (out / 'report.json').stat().st_mtime_ns == before
    # Part of it is lost: the rest is written all the same.
    cut_short(videos / 'b.mp4', 0.6)
    (videos / 'empty.avi').write_bytes(b'')
    args = ('--every', 1, '--crop', 0, 0, 192, 160, '--overwrite')
    done = call(videos, out, *args)
    assert done.returncode == 1
    assert 'empty.avi, at 0:00.00: an empty file' in done.stdout
    assert 'b.mp4, at 0:0' in done.stdout
    assert 2 <= len(read_manifest(out)['splits']['train']) < 12


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (['--crop', 0, 0, 64, 64, '--overlays', 'auto'], 'not both'),
        (
            ['--overlays', 'none', '--overlays', '0,0,9,9'],
            'cannot be combined with',
        ),
        (['--overlays', '0,0,9'], 'neither auto, none nor X,Y,W,H'),
        (['--size', 450, 320], 'multiples of the scale 4'),
        (['--every', 2, '--step-seconds', 1], 'not allowed with'),
        (['--window', 0], 'window must be at least 1'),
        (['--holdout', 'nowhere'], 'There is no run nowhere'),
        (['--holdout', 1.5], 'give a fraction'),
    ],
)
def test_wrong_arguments(videos, tmp_path, args, message):
    done = call(videos, tmp_path / 'out', *args)
    assert done.returncode == 2
    assert message in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ['in put']


def test_missing_or_unreadable_videos_exit_with_2(tmp_path):
    done = call(tmp_path / 'nowhere.mpg', tmp_path / 'out')
    assert done.returncode == 2
    assert done.stderr.startswith('Error: There is no file or folder')
    (tmp_path / 'text.mp4').write_text('no video\n' * 50)
    done = call(tmp_path / 'text.mp4', tmp_path / 'out')
    assert done.returncode == 2
    assert 'No video can be read' in done.stderr
    loop = tmp_path / 'loop.mp4'
    loop.symlink_to(loop)
    done = call(loop, tmp_path / 'out')
    assert done.returncode == 2
    assert 'circular' in done.stderr
    assert not (tmp_path / 'out').exists()


@pytest.mark.slow
def test_interrupt_and_resume(videos, tmp_path):
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
    assert 'repeat the command to resume' in stderr
    assert 'Traceback' not in stderr
    assert not out.exists()
    with pytest.raises(ProcessLookupError):  # nobody of it is left
        os.killpg(process.pid, 0)
    done = call(*args)
    assert done.returncode == 0, done.stderr
    assert '78 frames' in done.stdout
    assert not (tmp_path / '.out.partial').exists()
