"""Decoding videos, as far as they can be, within this process.

A damaged file can crash FFmpeg, and the process with it: use
:mod:`mmdsr.video.reader`, which does the same in a child process.
"""

import os
from collections import deque
from contextlib import contextmanager
from pathlib import Path

import av
import av.error
import av.logging

from mmdsr.errors import VideoError
from mmdsr.video.pictures import (
    deinterlaced,
    quarter_turns,
    rgb_pictures,
    sample_aspect,
    square_size,
)
from mmdsr.video.reader import VideoInfo
from mmdsr.video.stamps import Timeline, starts_anew
from mmdsr.video.tracks import film_track, picture_tracks

# A file cut short may name a time that is a little past its last frame.
_MISSING_SECONDS, _MISSING_SHARE = 0.5, 0.02
# Files that hold their pictures themselves: a play list would open other
# places, and wait for more of them to come.
_FORMATS = (
    'avi,asf,mov,mpeg,mpegts,mpegvideo,matroska,webm,flv,dv,mxf,ogg,h264,'
    'hevc,m4v,vc1,rm,nut,ivf,gxf,wtv'
)
_MPEG = ('mpegts', 'mpeg')
# Here the duration counts from the stamp 0, not from the first one.
_FROM_ZERO = ('matroska', 'flv')
_MAX_PIXELS = 2**26
"""Twice as many as 8K video has; more is a damaged header."""
_LATE = 2
"""Packets by which a gap in the transport is told before its place."""
_GAP = 1.5
"""Frames after which a key frame may begin another recording."""
_ANEW, _LATER = 'anew', 'later'
_ERRORS = 'errors in the picture data'


def inspect_video(path, sar='square'):
    """Read what a video says of itself, and its first frame.

    Args:
        path (str or Path): The file.
        sar (str): ``'square'`` or ``'keep'``.

    Returns:
        VideoInfo: Its size, length and so on.

    Raises:
        VideoError: If there is no frame to be read.
    """
    with _opened(path) as (container, stream, tracks):
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
            _length(container, stream),
            _rate(stream),
            stream.codec_context.name,
            container.format.name,
            ratio,
            tracks,
        )


@contextmanager
def at_first_frame(path):
    """Open a video and decode its first sound frame.

    Args:
        path (str or Path): The file.

    Yields:
        tuple: Container, stream, frame (None without any) and its stamp in
        seconds, from which :func:`decode_video` counts.

    Raises:
        VideoError: If the file is no video.
    """
    with _opened(path) as (container, stream, _):
        decoder = _Decoder(container, stream, [], [])
        frame = next(iter(decoder), None)
        yield container, stream, frame, decoder.line.first


def decode_video(
    path,
    deinterlace='auto',
    sar='square',
    sampler=None,
    problems=None,
    key_frames=False,
    stats=None,
):
    """Decode a video frame by frame; memory does not grow with its length.

    Args:
        path (str or Path): The file.
        deinterlace (str): As :func:`mmdsr.video.reader.read_video`,
            like all that follow.
        sar (str): Likewise.
        sampler (Sampler, optional): Likewise.
        problems (list, optional): Likewise.
        key_frames (bool): Likewise.
        stats (dict, optional): Likewise.

    Yields:
        tuple[int, float, np.ndarray or None]: Index, time and picture; None
        as the picture of a frame that the sampler does not want.

    Raises:
        VideoError: If the file is no video.
    """
    problems = [] if problems is None else problems
    stats = {} if stats is None else stats
    stats.update(decoded=0, interlaced=0, restarts=[], lost_start=0.0, gaps=[])
    level = av.logging.get_level()
    # Some decoders tell of damage by a message only; nothing is printed.
    av.logging.set_level(av.logging.ERROR)
    try:
        with (
            av.logging.Capture(local=False) as log,
            _opened(path) as (container, stream, _),
        ):
            if key_frames:
                stream.codec_context.skip_frame = 'NONKEY'
            decoder = _Decoder(container, stream, log, problems)
            frames = _counted(decoder, stats)
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


def _open(path):
    try:
        return av.open(
            os.path.abspath(path),  # noqa: PTH100, may be no UTF-8
            options={
                'protocol_whitelist': 'file',
                'format_whitelist': _FORMATS,
            },
            metadata_errors='replace',
        )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoError(
            f'no video, or its start or index is missing ({short(error)})'
        ) from error


@contextmanager
def _opened(path):
    """Give the container, the track of the film, and the number of films."""
    container = _open(path)
    try:
        number, tracks = 0, 1
        if len(picture_tracks(container)) > 1:
            number, tracks = film_track(container)
            # Counting has read on in the file.
            container.close()
            container = _open(path)
        stream = picture_tracks(container)[number]
        stream.codec_context.options = {'max_pixels': str(_MAX_PIXELS)}
        yield container, stream, tracks
    finally:
        container.close()


def short(error):
    """Return the first line of what an error says.

    Args:
        error (BaseException): The error.

    Returns:
        str: One line.
    """
    text = getattr(error, 'strerror', None) or str(error)
    return text.split('\n')[0] or type(error).__name__


def _rate(stream):
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate
    return float(rate) if rate else 25.0


def _is(container, names):
    return any(name in names for name in container.format.name.split(','))


def _start(container, stream):
    if stream.start_time is not None:
        return float(stream.start_time * stream.time_base)
    return (container.start_time or 0) / av.time_base


def _duration(container, stream):
    """Return the duration that the file names, in seconds, or None."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    if container.duration and len(container.streams) == 1:
        return container.duration / av.time_base
    return None


def _length(container, stream):
    """Return the seconds of the picture track, None if not known."""
    duration = _duration(container, stream)
    if duration is None:
        return None
    start = _start(container, stream)
    if _is(container, _FROM_ZERO) and 0 < start < duration:
        return duration - start
    return duration


class _Decoder:
    """Iterate over the sound frames; note damage."""

    def __init__(self, container, stream, log, problems):
        self.container, self.stream = container, stream
        self.log, self.problems = log, problems
        self.wraps = _is(container, _MPEG)
        self.line = Timeline(_rate(stream), self.wraps)
        self.damaged, self.damaged_pts = False, None
        self.joint = None  # where the part begins that lacks its start
        self.torn = False  # whether the transport misses what is to come
        self.gaps = []  # seconds at which it did, before a key frame
        self.keys = set()  # stamps of key packets since the damage
        self.begun = False  # whether a key packet was there
        self._failure = ''  # why reading stopped
        self.index = -1  # counts the damaged ones, too

    def _note(self, text, pts=None):
        if not self.damaged:
            self.problems.append((round(self.line.time, 3), text))
        self.damaged, self.damaged_pts = True, pts
        self.keys.clear()

    def _is_sound_again(self, frame):
        # Frames come out later than they go in, so that a key frame may be
        # an older one, or the damaged one itself. Time stamps may have
        # started anew since.
        return frame.key_frame and (
            self.damaged_pts is None
            or frame.pts is None
            or frame.pts > self.damaged_pts
            or frame.pts in self.keys
        )

    def _packets(self):
        """Yield each packet, and whether the stamps start anew with it."""
        packets = self.container.demux(self.stream)
        last = None
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError as error:
                self._failure = f'reading stops: {short(error)}'
                return
            yield packet, self._begins(last, packet)
            last = packet

    def _begins(self, last, packet):
        """Tell how a part begins with a packet, '' if it does not."""
        if last is None or last.dts is None or packet.dts is None:
            return ''
        stamps = [float(p.dts * p.time_base) for p in (last, packet)]
        if starts_anew(*stamps, self.wraps):
            return _ANEW
        gap = stamps[1] - stamps[0] > _GAP * self.line.step
        return _LATER if gap and packet.is_keyframe else ''

    def _ahead(self):
        """Yield packet, how a part begins with it, and what follows it."""
        waiting = deque()
        for item in self._packets():
            waiting.append(item)
            if len(waiting) > _LATE:
                yield *waiting.popleft(), {part for _, part in waiting}
        while waiting:
            yield *waiting.popleft(), {part for _, part in waiting}
        if self._failure:
            self._note(self._failure)

    def __iter__(self):
        for packet, begins, soon in self._ahead():
            if begins == _LATER and self.torn:
                self.gaps.append(round(self.line.time, 3))
            if begins == _ANEW and not packet.is_keyframe:
                # It would be decoded from the pictures of the other part,
                # of which some are still to come out.
                if not self.damaged:
                    self.joint = float(packet.dts * packet.time_base)
                self._note('joined to a part that lacks its start', packet.pts)
            frames, failure = self._decode(packet)
            # At the end of a part the next one looks like missing data.
            if packet.is_corrupt and not any(soon):
                failure = failure or _ERRORS
            self.torn = (packet.is_corrupt and any(soon)) or (
                self.torn and not begins
            )
            self.begun = self.begun or packet.is_keyframe or bool(frames)
            # What comes before the first key frame lacks its start.
            if failure and self.begun:
                self._note(f'damaged: {failure}', packet.pts)
            elif self.damaged and packet.is_keyframe:
                self.keys.add(packet.pts)
            yield from filter(self._is_sound, frames)

    def _decode(self, packet):
        """Return the frames that come out, and what is wrong."""
        self.log.clear()
        frames, failure = [], ''
        try:
            frames = packet.decode()
        except av.error.EOFError:
            pass
        except av.error.FFmpegError as error:
            failure = short(error)
        # H.264 hides an error and says so in a message only.
        if any('error while decoding' in entry[2] for entry in self.log):
            failure = failure or _ERRORS
        return frames, failure

    def _is_sound(self, frame):
        self.index += 1
        self.line.place(frame.time, self.index)
        if frame.is_corrupt:
            self._note(f'damaged: {_ERRORS}', frame.pts)
        elif self.damaged and self._is_sound_again(frame):
            self.damaged, self.joint = False, None
        return not self.damaged or self._is_before_joint(frame)

    def _is_before_joint(self, frame):
        if self.joint is None or frame.time is None:
            return False
        before = starts_anew(frame.time, self.joint, self.wraps)
        if not before:
            self.joint = None  # no frame of the first part is left
        return before


def _counted(decoder, stats):
    """Yield index, time and frame."""
    for frame in decoder:
        stats['decoded'] += 1
        stats['interlaced'] += bool(frame.interlaced_frame)
        yield decoder.index, decoder.line.time, frame


def _check_ends(decoder, container, stream, problems, stats):
    """Compare what was read with what the file names."""
    line, length = decoder.line, _length(container, stream)
    if line.first is None or line.restarts:
        return
    start = _start(container, stream)
    if not problems and line.first - start > _MISSING_SECONDS:
        stats['lost_start'] = round(line.first - start, 3)
    if length is None or decoder.damaged:
        return
    end = line.last + line.step - start
    if length - end > max(_MISSING_SECONDS, _MISSING_SHARE * length):
        problems.append(
            (
                round(line.time, 3),
                f'cut short: it ends at {end:.1f} s of {length:.1f} s',
            )
        )
