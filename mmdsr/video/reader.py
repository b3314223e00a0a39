"""Read videos as far as possible, regardless of their content.

FFmpeg is C code, and damaged files can crash it. So the file is decoded in a
child process (:mod:`mmdsr.video.child`), whose crash is treated like other
damage. Frames are passed through a pipe on demand, except for the few that the
pipe buffers: the child waits if this process is slower, and memory does not
grow. The child ends with this process, however that ends.
"""

import contextlib
import io
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypedDict, cast

import numpy as np

from mmdsr.errors import VideoError
from mmdsr.extras import require
from mmdsr.video.spans import Spans
from mmdsr.video.stamps import Sampler

DEINTERLACE = ('auto', 'on', 'off')
SAR = ('square', 'keep')

#: Header of a message of the child: kind, index, seconds, frames decoded,
#: frames flagged as interlaced, and the height and width of the following
#: picture, or the length in bytes of the following JSON text and 0.
HEADER = struct.Struct('<cqdqqII')
SEEN, PICTURE, REPORT = b's', b'p', b'r'

#: Where a video is damaged, in seconds, and how.
Damage: TypeAlias = tuple[float, str]


class Stats(TypedDict, total=False):
    """Statistics collected while a video is read.

    Attributes:
        decoded: Number of frames decoded so far.
        interlaced: Number of those that are flagged as interlaced.
        restarts: Times at which the time stamps restart.
        gaps: Times at which a part of a transport stream may have been
            joined or lost.
        lost_start: Seconds before the first key frame, which are lost.
    """

    decoded: int
    interlaced: int
    restarts: list[float]
    gaps: list[float]
    lost_start: float


class _Sent(NamedTuple):
    """A message of the child: a report, or a frame with or without picture.

    Args:
        number: Number of the frame, -1 for a report.
        time: Its time in seconds.
        picture: ``(H, W, 3)`` uint8 RGB, if the frame is requested.
        report: Content of a report; None for a frame.
    """

    number: int
    time: float
    picture: np.ndarray | None
    report: dict[str, Any] | None


@dataclass(frozen=True)
class VideoInfo:
    """Properties of a video, from its header.

    Attributes:
        path: The file.
        width: Width in pixels, after the sample aspect ratio.
        height: Height in pixels.
        duration: Seconds, if known.
        rate: Frames per second.
        codec: Name of the codec.
        container: Name of the file format.
        sar: Width of a stored sample divided by its height.
        tracks: Number of films in it, without covers; the largest film is
            read.
        tags: Metadata of the file, if it has any.
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
    tags: dict[str, str] | None = None


def probe(path: Path | str, sar: str = 'square') -> VideoInfo:
    """Read the properties of a video, and its first frame.

    Args:
        path: The file.
        sar: See :func:`read_video`.

    Returns:
        Size, length and other properties.

    Raises:
        VideoError: If no frame can be read.
        OSError: If the file is missing or may not be read.
        MissingExtraError: Without PyAV.
    """
    with _decoding(path, task='inspect', sar=sar) as child:
        for sent in child:
            if sent.report is not None and 'info' in sent.report:
                return VideoInfo(Path(path), **sent.report['info'])
        raise VideoError(f'no frame of it can be decoded: {child.death()}')


def read_video(
    path: Path | str,
    deinterlace: str = 'auto',
    sar: str = 'square',
    sampler: Sampler | Spans | None = None,
    problems: list[Damage] | None = None,
    key_frames: bool = False,
    stats: Stats | None = None,
    watch: Callable[[int, float], bool] | None = None,
) -> Generator[tuple[int, float, np.ndarray], None, None]:
    """Decode a video frame by frame; memory does not grow with its length.

    After damage, frames are left out up to the next key frame, because they
    are decoded from damaged ones; then reading continues. Reading ends if
    FFmpeg crashes.

    Args:
        path: The file.
        deinterlace: ``'auto'`` deinterlaces the frames that are flagged as
            interlaced, ``'on'`` all, ``'off'`` none.
        sar: ``'square'`` resamples anamorphic video to square pixels: the
            denser axis is reduced, so that no detail is invented. ``'keep'``
            returns the samples as they are stored.
        sampler: Which frames are returned; the others are only decoded.
        problems: List to which each damage is appended.
        key_frames: Whether to decode only key frames.
        stats: Updated while the video is read.
        watch: Called with the index and the seconds of each frame, returned or
            not; reading ends when it returns False.

    Yields:
        The index of the frame, its time in seconds since the first frame, and
        the picture ``(H, W, 3)`` uint8 RGB.

    Raises:
        VideoError: If the file is not a video.
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
        for index, time, picture, report in child:
            if report is not None:
                if 'problem' in report:
                    when, text = report['problem']
                    problems.append((when, text))
                    continue
                stats.update(report['stats'])
                return
            seen, last = index, time
            stats['decoded'], stats['interlaced'] = child.counts
            if watch is not None and not watch(index, time):
                return
            if picture is not None:
                yield index, time, picture
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
def _decoding(path: Path | str, **request: object) -> Iterator['_Child']:
    require('video', 'av')
    if not Path(path).stat().st_size:
        raise VideoError('an empty file')
    child = _Child({'path': os.fspath(path), **request})
    try:
        yield child
    finally:
        child.close()


class _Child:
    """The decoding process, as an iterable of its messages."""

    def __init__(self, request: dict[str, Any]) -> None:
        code = (
            f'import sys; sys.path[:] = {[*map(str, sys.path)]!r}; '
            'from mmdsr.video.child import main; main()'
        )
        self.counts = 0, 0  # frames decoded, and interlaced ones
        # Discard what C libraries print at exit.
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, '-c', code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
        )
        assert self.process.stdin is not None  # it is a pipe, see above
        assert self.process.stdout is not None
        self.requests, self.answers = self.process.stdin, self.process.stdout
        with contextlib.suppress(BrokenPipeError):
            self.requests.write(json.dumps(request).encode() + b'\n')
            # Kept open, because the child ends when it is closed.
            self.requests.flush()

    def __iter__(self) -> Iterator[_Sent]:
        """Yield all messages of the child."""
        while True:
            header = self.answers.read(HEADER.size)
            if len(header) < HEADER.size:
                return
            kind, index, time, decoded, interlaced, height, width = (
                HEADER.unpack(header)
            )
            self.counts = decoded, interlaced
            picture = report = None
            if kind == PICTURE:
                picture = np.empty((height, width, 3), np.uint8)
                if not self._fill(picture):
                    return
            elif kind == REPORT:
                text = self.answers.read(height)
                if len(text) < height:
                    return
                report = json.loads(text)
                if 'refused' in report:
                    raise VideoError(report['refused'])
                if 'fault' in report:
                    raise RuntimeError(report['fault'])
            yield _Sent(index, time, picture, report)

    def _fill(self, picture: np.ndarray) -> bool:
        """Read a picture; return whether it is complete."""
        # This is a BufferedReader, which the type hint of Popen does not say.
        pipe = cast(io.BufferedReader, self.answers)
        return pipe.readinto(picture.data.cast('B')) == picture.size

    def death(self) -> str:
        """Describe why the process ended prematurely."""
        code = self.process.wait()
        if code < 0:
            names = {number.value: number.name for number in signal.Signals}
            return f'the decoder was stopped by {names.get(-code, -code)}'
        self.errors.seek(0)
        lines = self.errors.read().decode(errors='replace').split('\n')
        said = [line.strip() for line in lines if line.strip()]
        return f'the decoder ended with {said[-1] if said else code}'

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        with contextlib.suppress(BrokenPipeError):
            self.requests.close()
        self.answers.close()
        self.process.wait()
        self.errors.close()
