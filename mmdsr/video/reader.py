"""Reading videos, as far as they can be, whatever is in the file.

FFmpeg is C code, which damaged files can crash. So the file is decoded in a
child process (:mod:`mmdsr.video.child`), and its crash is one more
kind of damage. Frames come through a pipe, each when it is asked for, but for
a few that the pipe holds: the child waits when this process is slower, and
memory does not grow. The child ends with this process, however that ends.
"""

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmdsr.errors import VideoError
from mmdsr.extras import require

DEINTERLACE = ('auto', 'on', 'off')
SAR = ('square', 'keep')

#: What the child sends: kind, index, seconds, frames decoded, frames flagged
#: as interlaced, and height and width of the picture that follows, or the
#: bytes of the JSON text that follows and 0.
HEADER = struct.Struct('<cqdqqII')
SEEN, PICTURE, REPORT = b's', b'p', b'r'


@dataclass(frozen=True)
class VideoInfo:
    """What a video says of itself.

    Attributes:
        path (Path): The file.
        width (int): Width in pixels, after the sample aspect ratio.
        height (int): Height, likewise.
        duration (float or None): Seconds, if known.
        rate (float): Frames per second.
        codec (str): Name of the codec.
        container (str): Name of the file format.
        sar (float): Width of a stored sample divided by its height.
        tracks (int): Number of films in it; the largest one is read.
            Covers do not count.
    """

    path: Path
    width: int
    height: int
    duration: float | None
    rate: float
    codec: str
    container: str
    sar: float
    tracks: int = 1


def probe(path, sar='square'):
    """Read what a video says of itself, and its first frame.

    Args:
        path (str or Path): The file.
        sar (str): As :func:`read_video`.

    Returns:
        VideoInfo: Its size, length and so on.

    Raises:
        VideoError: If there is no frame to be read.
        OSError: If the file is missing or may not be read.
        MissingExtraError: Without PyAV.
    """
    with _decoding(path, task='inspect', sar=sar) as child:
        for _, _, _, content in child:
            if 'info' in content:
                return VideoInfo(Path(path), **content['info'])
        raise VideoError(f'no frame of it can be decoded: {child.death()}')


def read_video(
    path,
    deinterlace='auto',
    sar='square',
    sampler=None,
    problems=None,
    key_frames=False,
    stats=None,
    watch: Callable[[int, float], bool] | None = None,
):
    """Decode a video frame by frame; memory does not grow with its length.

    A damaged part is left out up to the next key frame, for what is decoded
    from it is damaged as well; then reading goes on. Where FFmpeg crashes,
    reading ends.

    Args:
        path (str or Path): The file.
        deinterlace (str): ``'auto'`` deinterlaces the frames that are
            flagged as interlaced, ``'on'`` all, ``'off'`` none.
        sar (str): ``'square'`` resamples anamorphic video to square pixels:
            the denser axis is reduced, so that no detail is made up.
            ``'keep'`` returns the samples as they are stored.
        sampler (Sampler or Spans, optional): Which frames are returned; the
            others cost decoding only.
        problems (list, optional): Gets ``(seconds, text)`` of each damage.
        key_frames (bool): Decode key frames only.
        stats (dict, optional): Gets ``decoded`` and ``interlaced``, numbers
            of frames; ``restarts``, the times at which the time stamps start
            anew; ``gaps``, those of a transport stream at which a part may
            have been joined or lost; and ``lost_start``, the seconds before
            the first key frame.
        watch: Is told index and seconds of each frame, looked at or not;
            reading ends when it returns False.

    Yields:
        tuple[int, float, np.ndarray]: Index of the frame, its time in
        seconds from the first one, and ``(H, W, 3)`` uint8 RGB.

    Raises:
        VideoError: If the file is no video.
        OSError: If the file is missing or may not be read.
        MissingExtraError: Without PyAV.
    """
    problems = [] if problems is None else problems
    stats = {} if stats is None else stats
    request = {
        'task': 'decode',
        'deinterlace': deinterlace,
        'sar': sar,
        'sampler': sampler and sampler.request(),
        'key_frames': key_frames,
    }
    seen, last = -1, 0.0
    with _decoding(path, **request) as child:
        for kind, index, time, content in child:
            if kind == REPORT:
                if 'problem' in content:
                    problems.append(tuple(content['problem']))
                    continue
                stats.update(content['stats'])
                return
            seen, last = index, time
            stats['decoded'], stats['interlaced'] = child.counts
            if watch is not None and not watch(index, time):
                return
            if kind == PICTURE:
                yield index, time, content
        if seen < 0:
            raise VideoError(f'no frame of it can be decoded: {child.death()}')
        problems.append(
            (
                round(last, 3),
                f'damaged at frame {seen + 1}: {child.death()}; the rest is '
                'not read',
            )
        )


@contextlib.contextmanager
def _decoding(path, **request):
    require('video', 'av')
    if not Path(path).stat().st_size:
        raise VideoError('an empty file')
    child = _Child({'path': os.fspath(path), **request})
    try:
        yield child
    finally:
        child.close()


class _Child:
    """The process that decodes; iterate over what it sends."""

    def __init__(self, request):
        code = (
            f'import sys; sys.path[:] = {[*map(str, sys.path)]!r}; '
            'from mmdsr.video.child import main; main()'
        )
        self.counts = 0, 0  # frames decoded, and interlaced ones
        # What C libraries print at their end is for nobody.
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, '-c', code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
        )
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(request).encode() + b'\n')
            # Left open: the child ends when it is closed.
            self.process.stdin.flush()

    def __iter__(self):
        """Yield kind, index, seconds, and picture or report, to the end."""
        pipe = self.process.stdout
        while True:
            header = pipe.read(HEADER.size)
            if len(header) < HEADER.size:
                return
            kind, index, time, *counts, height, width = HEADER.unpack(header)
            self.counts = counts
            content = None
            if kind == PICTURE:
                content = np.empty((height, width, 3), np.uint8)
                if pipe.readinto(memoryview(content).cast('B')) < content.size:
                    return
            elif kind == REPORT:
                text = pipe.read(height)
                if len(text) < height:
                    return
                content = json.loads(text)
                if 'refused' in content:
                    raise VideoError(content['refused'])
                if 'fault' in content:
                    raise RuntimeError(content['fault'])
            yield kind, index, time, content

    def death(self):
        """Say how the process ended before it was done."""
        code = self.process.wait()
        if code < 0:
            names = {number.value: number.name for number in signal.Signals}
            return f'the decoder was stopped by {names.get(-code, -code)}'
        self.errors.seek(0)
        lines = self.errors.read().decode(errors='replace').split('\n')
        said = [line.strip() for line in lines if line.strip()]
        return f'the decoder ended with {said[-1] if said else code}'

    def close(self):
        """End the process."""
        self.process.kill()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
        self.errors.close()
