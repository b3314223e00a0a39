"""The process that decodes a video for :mod:`mmdsr.video.reader`.

It reads one request, a line of JSON, and writes what it decodes. When its
input is closed, the parent has ended or needs no more frames, and it exits.
"""

import contextlib
import dataclasses
import json
import os
import signal
import sys
import threading
import traceback
from typing import Any

import av.error
import numpy as np

from mmdsr.errors import VideoError
from mmdsr.video.decoder import decode_video, inspect_video
from mmdsr.video.opening import short
from mmdsr.video.reader import (
    HEADER,
    PICTURE,
    REPORT,
    SEEN,
    Damage,
    Stats,
)
from mmdsr.video.spans import Spans
from mmdsr.video.stamps import Sampler

_PIPE_BYTES = 2**20
# Errors caused by an invalid picture.
_DAMAGE = (av.error.FFmpegError, ValueError, MemoryError, OverflowError)


def main() -> None:
    """Answer one request."""
    # Ctrl-C reaches the whole process group; the parent handles it.
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
    except Exception:  # an internal error, which the parent has to report
        _report(pipe, fault=traceback.format_exc())
    # Skip the cleanup of C libraries, where a crash would be irrelevant.
    os._exit(0)


def _take_output() -> int:
    """Return the pipe; redirect all other output to stderr."""
    pipe = os.dup(1)
    os.dup2(2, 1)
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return pipe


def _end_with_input() -> None:
    os.read(0, 1)
    os._exit(0)


def _answer(
    pipe: int,
    task: str,
    path: str,
    sar: str,
    sampler: dict[str, Any] | None = None,
    deinterlace: str = 'auto',
    key_frames: bool = False,
) -> None:
    if task == 'inspect':
        info = dataclasses.asdict(inspect_video(path, sar))
        del info['path']
        _report(pipe, info=info)
        return
    problems = _Problems(pipe)
    stats: Stats = {}
    frames = decode_video(
        path,
        deinterlace=deinterlace,
        sar=sar,
        sampler=None if sampler is None else _sampler(sampler),
        problems=problems,
        key_frames=key_frames,
        stats=stats,
    )
    last, time = -1, 0.0
    try:
        for last, time, picture in frames:
            _send_frame(pipe, last, time, picture, stats)
    except VideoError:
        raise
    except _DAMAGE as error:
        text = f'damaged at frame {last + 1}: {short(error)}; the rest is '
        problems.append((round(time, 3), f'{text}not read'))
    _report(pipe, stats=stats)


def _sampler(request: dict[str, Any]) -> Sampler | Spans:
    kind = Spans if 'length' in request else Sampler
    return kind(**request)


class _Problems(list[Damage]):
    """Report each problem immediately, as a crash may follow."""

    def __init__(self, pipe: int) -> None:
        super().__init__()
        self.pipe = pipe

    def append(self, problem: Damage) -> None:
        super().append(problem)
        _report(self.pipe, problem=problem)


def _send_frame(
    pipe: int,
    index: int,
    time: float,
    picture: np.ndarray | None,
    stats: Stats,
) -> None:
    counts = stats['decoded'], stats['interlaced']
    if picture is None:
        _write(pipe, HEADER.pack(SEEN, index, time, *counts, 0, 0))
        return
    size = picture.shape[:2]
    _write(pipe, HEADER.pack(PICTURE, index, time, *counts, *size))
    _write(pipe, np.ascontiguousarray(picture).data.cast('B'))


def _report(pipe: int, **content: object) -> None:
    text = json.dumps(content).encode()
    _write(pipe, HEADER.pack(REPORT, -1, 0.0, 0, 0, len(text), 0) + text)


def _write(pipe: int, data: bytes | memoryview) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(pipe, left) :]
