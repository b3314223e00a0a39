"""The process that decodes a video for :mod:`mmdsr.video.reader`.

It reads one request, a line of JSON, and writes what it decodes. When its
input is closed, the process that asked is gone or has enough, and it ends.
"""

import contextlib
import dataclasses
import json
import os
import signal
import sys
import threading
import traceback

import av.error
import numpy as np

from mmdsr.errors import VideoError
from mmdsr.video.decoder import decode_video, inspect_video, short
from mmdsr.video.reader import HEADER, PICTURE, REPORT, SEEN
from mmdsr.video.spans import Spans
from mmdsr.video.stamps import Sampler

_PIPE_BYTES = 2**20
# What a picture that makes no sense leads to.
_DAMAGE = (av.error.FFmpegError, ValueError, MemoryError, OverflowError)


def main():
    """Answer one request."""
    # Ctrl-C reaches the whole group; the one who asked decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipe = _take_output()
    request = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        _answer(pipe, **request)
    except VideoError as error:
        _report(pipe, refused=str(error))
    except BrokenPipeError:
        pass
    except Exception:  # a fault of ours, to be seen where it was asked
        _report(pipe, fault=traceback.format_exc())
    # Without the cleaning up of C libraries, whose crash would mean nothing.
    os._exit(0)


def _take_output():
    """Return the pipe; what others print goes to the errors."""
    pipe = os.dup(1)
    os.dup2(2, 1)
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return pipe


def _end_with_input():
    os.read(0, 1)
    os._exit(0)


def _answer(pipe, task, path, sar, sampler=None, **options):
    if task == 'inspect':
        info = dataclasses.asdict(inspect_video(path, sar))
        del info['path']
        _report(pipe, info=info)
        return
    problems, stats = _Problems(pipe), {}
    if sampler is not None:
        sampler = (Spans if 'length' in sampler else Sampler)(**sampler)
    frames = decode_video(
        path,
        sar=sar,
        sampler=sampler,
        problems=problems,
        stats=stats,
        **options,
    )
    last, time = -1, 0.0
    try:
        for last, time, picture in frames:  # noqa: B007
            _send_frame(pipe, last, time, picture, stats)
    except VideoError:
        raise
    except _DAMAGE as error:
        text = f'damaged at frame {last + 1}: {short(error)}; the rest is '
        problems.append((round(time, 3), f'{text}not read'))
    _report(pipe, stats=stats)


class _Problems(list):
    """Tell each at once: a crash may follow."""

    def __init__(self, pipe):
        super().__init__()
        self.pipe = pipe

    def append(self, problem):
        super().append(problem)
        _report(self.pipe, problem=problem)


def _send_frame(pipe, index, time, picture, stats):
    counts = stats['decoded'], stats['interlaced']
    if picture is None:
        _write(pipe, HEADER.pack(SEEN, index, time, *counts, 0, 0))
        return
    size = picture.shape[:2]
    _write(pipe, HEADER.pack(PICTURE, index, time, *counts, *size))
    _write(pipe, memoryview(np.ascontiguousarray(picture)).cast('B'))


def _report(pipe, **content):
    text = json.dumps(content).encode()
    _write(pipe, HEADER.pack(REPORT, -1, 0.0, 0, 0, len(text), 0) + text)


def _write(pipe, data):
    data = memoryview(data)
    while data:
        data = data[os.write(pipe, data) :]
