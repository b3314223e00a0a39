"""Decoding in a child process: the same frames, and no crash but its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from video_makers import write_video

from mmdsr.dev.views import texture, view
from mmdsr.errors import VideoError
from mmdsr.video import child as video_child
from mmdsr.video import reader as video_reader
from mmdsr.video.decoder import decode_video
from mmdsr.video.reader import probe, read_video
from mmdsr.video.stamps import Sampler

pytestmark = pytest.mark.usefixtures('real_children')
ROOT = Path(__file__).parents[2]
LINUX = sys.platform.startswith('linux')


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp('child') / 'Größe 1.avi'
    surface = texture(3)
    frames = [view(surface, x=3 * i, size=(256, 192)) for i in range(80)]
    return write_video(path, frames, rate=10)


@pytest.fixture
def child(monkeypatch):
    """The processes that are started."""
    started = []
    start = subprocess.Popen

    def popen(*args, **kwargs):
        started.append(start(*args, **kwargs))
        return started[-1]

    monkeypatch.setattr(video_reader.subprocess, 'Popen', popen)
    return started


def test_the_same_frames_as_in_this_process(video):
    sampler = Sampler(None, 0.5)
    here, stats = [], {}
    for index, moment, image in decode_video(
        video, sampler=sampler, stats=stats
    ):
        if image is not None:
            here.append((index, moment, image))
    there_stats = {}
    there = list(
        read_video(video, sampler=Sampler(None, 0.5), stats=there_stats)
    )
    assert len(here) == 16
    assert there_stats == stats
    for one, other in zip(here, there, strict=True):
        assert one[:2] == other[:2]
        np.testing.assert_array_equal(one[2], other[2])
        assert other[2].flags.writeable


@pytest.mark.parametrize('number', ['SIGSEGV', 'SIGKILL'])
def test_a_crash_is_damage(video, child, number):
    problems, stats = [], {}
    frames = read_video(video, problems=problems, stats=stats)
    read = [next(frames)[0]]
    time.sleep(0.3)  # it decodes on until the pipe is full
    child[0].send_signal(getattr(signal, number))
    child[0].wait(10)
    read += [index for index, _, _ in frames]
    # What came before is kept; and the child had not run far ahead, for
    # memory must not grow: a frame has 147 kB, the pipe 1 MB.
    assert read == list(range(len(read)))
    assert 1 <= len(read) < 12
    ((moment, text),) = problems
    assert moment == pytest.approx((len(read) - 1) / 10)
    assert text == (
        f'damaged at frame {len(read)}: the decoder was stopped by {number}; '
        'the rest is not read'
    )
    # One is held back to be deinterlaced.
    assert stats['decoded'] - len(read) in (0, 1)


def test_a_crash_at_the_start(video, child, monkeypatch):
    real = video_reader._Child.__iter__

    def crash(self):
        self.process.send_signal(signal.SIGSEGV)
        self.process.wait(10)
        return real(self)

    monkeypatch.setattr(video_reader._Child, '__iter__', crash)
    for call in (lambda: probe(video), lambda: list(read_video(video))):
        with pytest.raises(VideoError, match=r'can be decoded: .* by SIGSEGV'):
            call()
    assert len(child) == 2
    assert all(c.poll() for c in child)


def test_leaving_early_ends_the_child(video, child):
    for _ in read_video(video):
        break
    assert child[0].wait(10) is not None
    frames = read_video(video)
    next(frames)
    frames.close()
    assert child[1].poll() is not None


def test_a_fault_of_ours_is_no_damage(video, monkeypatch):
    # Not a mode that there is: the child raises what no file can cause.
    with pytest.raises(RuntimeError, match='TypeError'):
        list(read_video(video, key_frames=True, sampler=Sampler(None, 'x')))


def state(pid):
    """State of a process, '' if there is none; a zombie waits for init."""
    try:
        text = Path(f'/proc/{pid}/stat').read_text()
    except OSError:
        return ''
    return text.rpartition(')')[2].split()[0].replace('Z', '')


@pytest.mark.skipif(not LINUX, reason='looks into /proc')
def test_the_child_ends_with_its_parent(video):
    code = (
        'import time\n'
        'from mmdsr.video import reader as video_reader\n'
        'start = video_reader.subprocess.Popen\n'
        'def popen(*args, **kwargs):\n'
        '    process = start(*args, **kwargs)\n'
        '    print(process.pid, flush=True)\n'
        '    return process\n'
        'video_reader.subprocess.Popen = popen\n'
        f'frames = video_reader.read_video({str(video)!r})\n'
        'next(frames)\n'
        "print('read', flush=True)\n"
        'time.sleep(60)\n'
    )
    parent = subprocess.Popen(
        [sys.executable, '-c', code],
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    pid = int(parent.stdout.readline())
    assert parent.stdout.readline() == 'read\n'
    assert state(pid)
    parent.kill()
    parent.communicate()
    limit = time.monotonic() + 10
    while state(pid) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not state(pid)


def test_a_picture_too_large_is_damage(video, monkeypatch):
    """As when the memory does not suffice for a size out of a bad header."""
    sent = []

    def decode(path, problems, stats, **kwargs):
        stats.update(decoded=1, interlaced=0)
        yield 0, 0.0, np.zeros((4, 4, 3), np.uint8)
        raise MemoryError

    monkeypatch.setattr(video_child, 'decode_video', decode)
    monkeypatch.setattr(
        video_child, '_write', lambda pipe, data: sent.append(bytes(data))
    )
    video_child._answer(None, 'decode', str(video), 'square')
    text = b''.join(sent).decode(errors='replace')
    assert 'damaged at frame 1: MemoryError' in text
