"""Decode videos as far as possible within this process.

A damaged file can crash FFmpeg, and the process with it: use
:mod:`mmdsr.video.reader`, which does the same in a child process.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import av.error
import av.logging
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from mmdsr.errors import VideoError
from mmdsr.video.opening import MPEG, decoding_time, opened, short
from mmdsr.video.pictures import (
    TimedFrame,
    deinterlaced,
    quarter_turns,
    rgb_pictures,
    sample_aspect,
    square_size,
)
from mmdsr.video.reader import Damage, Stats, VideoInfo
from mmdsr.video.spans import Spans
from mmdsr.video.stamps import Sampler, Timeline, starts_anew
from mmdsr.video.tracks import (
    film_length,
    frame_rate,
    is_format,
    start_time,
)

# An intact file may state a time slightly after its last frame.
_MISSING_SECONDS, _MISSING_SHARE = 0.5, 0.02
_LATE = 2
"""Number of packets by which a gap in the transport is reported early."""
_GAP = 1.5
"""Number of frames after which a key frame may start another recording."""
_ANEW, _LATER = 'anew', 'later'
_ERRORS = 'errors in the picture data'


def inspect_video(path: Path | str, sar: str = 'square') -> VideoInfo:
    """Read the properties of a video, and its first frame.

    Args:
        path: The file.
        sar: ``'square'`` or ``'keep'``.

    Returns:
        Size, length and other properties.

    Raises:
        VideoError: If no frame can be read.
    """
    with opened(path) as (container, stream, tracks):
        frame = next(iter(_Decoder(container, stream, [], [])), None)
        if frame is None:
            raise VideoError('no frame of it can be decoded')
        ratio = sample_aspect(stream)
        size = frame.width, frame.height
        width, height = square_size(*size, ratio) if sar == 'square' else size
        if quarter_turns(frame) % 2:
            width, height = height, width
        return VideoInfo(
            Path(path),
            width,
            height,
            film_length(container, stream),
            frame_rate(stream),
            stream.codec_context.name,
            container.format.name,
            ratio,
            tracks,
            dict(container.metadata),
        )


@contextmanager
def at_first_frame(
    path: Path | str,
) -> Iterator[tuple[InputContainer, VideoStream, VideoFrame | None, float]]:
    """Open a video and decode its first intact frame.

    Args:
        path: The file.

    Yields:
        Container, stream, frame (None without any) and its stamp in seconds,
        from which :func:`decode_video` counts.

    Raises:
        VideoError: If the file is not a video.
    """
    with opened(path) as (container, stream, _):
        decoder = _Decoder(container, stream, [], [])
        frame = next(iter(decoder), None)
        yield container, stream, frame, decoder.line.first or 0.0


def decode_video(
    path: Path | str,
    deinterlace: str = 'auto',
    sar: str = 'square',
    sampler: Sampler | Spans | None = None,
    problems: list[Damage] | None = None,
    key_frames: bool = False,
    stats: Stats | None = None,
) -> Iterator[tuple[int, float, np.ndarray | None]]:
    """Decode a video frame by frame; memory does not grow with its length.

    Args:
        path: The file.
        deinterlace: See :func:`mmdsr.video.reader.read_video`.
        sar: See :func:`mmdsr.video.reader.read_video`.
        sampler: See :func:`mmdsr.video.reader.read_video`.
        problems: See :func:`mmdsr.video.reader.read_video`.
        key_frames: See :func:`mmdsr.video.reader.read_video`.
        stats: See :func:`mmdsr.video.reader.read_video`.

    Yields:
        Index, time in seconds and picture ``(H, W, 3)`` uint8 RGB; the picture
        is None for a frame that the sampler skips.

    Raises:
        VideoError: If the file is not a video.
    """
    problems = [] if problems is None else problems
    stats = {} if stats is None else stats
    stats.update(
        {
            'decoded': 0,
            'interlaced': 0,
            'restarts': [],
            'gaps': [],
            'lost_start': 0.0,
        }
    )
    level = av.logging.get_level()
    # Some decoders report damage only by a message, which is captured.
    av.logging.set_level(av.logging.ERROR)
    try:
        with (
            av.logging.Capture(local=False) as log,
            opened(path) as (container, stream, _),
        ):
            if key_frames:
                stream.codec_context.skip_frame = 'NONKEY'
            decoder = _Decoder(container, stream, log, problems)
            frames: Iterator[TimedFrame] = _counted(decoder, stats)
            if deinterlace != 'off':
                frames = deinterlaced(frames, deinterlace == 'on')
            ratio = sample_aspect(stream)
            yield from rgb_pictures(frames, ratio, sar, sampler)
            stats['restarts'] = decoder.line.restarts
            stats['gaps'] = decoder.gaps
            if not key_frames:
                _check_ends(decoder, container, stream, problems, stats)
    finally:
        av.logging.set_level(level)


class _Decoder:
    """Iterate over the intact frames and record damage."""

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        log: list[tuple[int, str, str]],
        problems: list[Damage],
    ) -> None:
        self.container, self.stream = container, stream
        self.log, self.problems = log, problems
        self.wraps = is_format(container, MPEG)
        self.line = Timeline(frame_rate(stream), self.wraps)
        self.damaged = False
        self.damaged_pts: int | None = None
        # Start of a part without its first frames.
        self.joint: float | None = None
        self.torn = False  # whether the transport lacks the following data
        # Seconds of that gap, before a key frame.
        self.gaps: list[float] = []
        # Time stamps of the key packets since the damage.
        self.keys: set[int | None] = set()
        self.begun = False  # whether there was a key packet
        self._failure = ''  # why reading stopped
        self.index = -1  # includes damaged frames
        self.shown = 0.0  # seconds that the last frame is shown, if stated

    def _note(self, text: str, pts: int | None = None) -> None:
        if not self.damaged:
            self.problems.append((round(self.line.time, 3), text))
        self.damaged, self.damaged_pts = True, pts
        self.keys.clear()

    def _is_sound_again(self, frame: VideoFrame) -> bool:
        # Decoding delays frames, so a key frame may be an older one, or the
        # damaged one itself. Time stamps may have restarted since.
        return frame.key_frame and (
            self.damaged_pts is None
            or frame.pts is None
            or frame.pts > self.damaged_pts
            or frame.pts in self.keys
        )

    def _packets(self) -> Iterator[tuple[Packet, str]]:
        """Yield each packet, and how a part starts with it."""
        packets = self.container.demux(self.stream)
        last: Packet | None = None
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError as error:
                self._failure = f'reading stopped: {short(error)}'
                return
            yield packet, self._begins(last, packet)
            last = packet

    def _begins(self, last: Packet | None, packet: Packet) -> str:
        """Return how a part starts with a packet, '' if none does."""
        if last is None:
            return ''
        before, after = decoding_time(last), decoding_time(packet)
        if before is None or after is None:
            return ''
        if starts_anew(before, after, self.wraps):
            return _ANEW
        gap = after - before > _GAP * self.line.step
        return _LATER if gap and packet.is_keyframe else ''

    def _ahead(self) -> Iterator[tuple[Packet, str, set[str]]]:
        """Yield packet, how a part starts with it, and how one starts soon."""
        waiting: deque[tuple[Packet, str]] = deque()
        for item in self._packets():
            waiting.append(item)
            if len(waiting) > _LATE:
                yield *waiting.popleft(), {part for _, part in waiting}
        while waiting:
            yield *waiting.popleft(), {part for _, part in waiting}
        if self._failure:
            self._note(self._failure)

    def __iter__(self) -> Iterator[VideoFrame]:
        for packet, begins, soon in self._ahead():
            if begins == _LATER and self.torn:
                self.gaps.append(round(self.line.time, 3))
            if begins == _ANEW and not packet.is_keyframe:
                # It would be decoded from the pictures of the other part, some
                # of which are still in the decoder.
                if not self.damaged:
                    self.joint = decoding_time(packet)
                self._note('joined to a part that lacks its start', packet.pts)
            frames, failure = self._decode(packet)
            # At the end of a part, the next part looks like missing data.
            if packet.is_corrupt and not any(soon):
                failure = failure or _ERRORS
            self.torn = (packet.is_corrupt and any(soon)) or (
                self.torn and not begins
            )
            self.begun = self.begun or packet.is_keyframe or bool(frames)
            # Frames before the first key frame cannot be decoded.
            if failure and self.begun:
                self._note(f'damaged: {failure}', packet.pts)
            elif self.damaged and packet.is_keyframe:
                self.keys.add(packet.pts)
            yield from filter(self._is_sound, frames)

    def _decode(self, packet: Packet) -> tuple[list[VideoFrame], str]:
        """Return the decoded frames and a description of any damage."""
        self.log.clear()
        frames: list[VideoFrame] = []
        failure = ''
        try:
            frames = packet.decode()
        except av.error.EOFError:
            pass
        except av.error.FFmpegError as error:
            failure = short(error)
        # H.264 conceals an error and reports it only by a message.
        if any('error while decoding' in entry[2] for entry in self.log):
            failure = failure or _ERRORS
        return frames, failure

    def _is_sound(self, frame: VideoFrame) -> bool:
        self.index += 1
        self.line.place(frame.time, self.index)
        if frame.is_corrupt:
            self._note(f'damaged: {_ERRORS}', frame.pts)
        elif self.damaged and self._is_sound_again(frame):
            self.damaged, self.joint = False, None
        return not self.damaged or self._is_before_joint(frame)

    def _is_before_joint(self, frame: VideoFrame) -> bool:
        if self.joint is None or frame.time is None:
            return False
        before = starts_anew(frame.time, self.joint, self.wraps)
        if not before:
            self.joint = None  # all frames of the first part are decoded
        return before


def _counted(decoder: _Decoder, stats: Stats) -> Iterator[TimedFrame]:
    """Yield index, time and frame."""
    for frame in decoder:
        stats['decoded'] += 1
        stats['interlaced'] += bool(frame.interlaced_frame)
        decoder.shown = float((frame.duration or 0) * (frame.time_base or 0))
        yield decoder.index, decoder.line.time, frame


def _check_ends(
    decoder: _Decoder,
    container: InputContainer,
    stream: VideoStream,
    problems: list[Damage],
    stats: Stats,
) -> None:
    """Compare the decoded length with the one stated in the file."""
    line, length = decoder.line, film_length(container, stream)
    if line.first is None or line.last is None or line.restarts:
        return
    start = start_time(container, stream)
    if not problems and line.first - start > _MISSING_SECONDS:
        stats['lost_start'] = round(line.first - start, 3)
    if length is None or decoder.damaged:
        return
    # A film may end with a long still picture, if it has others.
    stays = max(line.step, line.longest, decoder.shown)
    end = line.last + stays - start
    if length - end > max(_MISSING_SECONDS, _MISSING_SHARE * length):
        problems.append(
            (
                round(line.time, 3),
                f'truncated: it ends at {end:.1f} s of {length:.1f} s',
            )
        )
