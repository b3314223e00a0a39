"""Decoding videos, as far as they can be."""

import os
from dataclasses import dataclass
from pathlib import Path

import av
import av.filter
import av.logging
import numpy as np
from av.video.reformatter import VideoReformatter

DEINTERLACE = ('auto', 'on', 'off')
SAR = ('square', 'keep')

# A file cut short may name a time that is a little past its last frame.
_MISSING_SECONDS, _MISSING_SHARE = 0.5, 0.02
_COLORSPACE_UNSPECIFIED = 2
_HD_HEIGHT = 720
# Files that hold their pictures themselves: a play list would open other
# places, and wait for more of them to come.
_FORMATS = (
    'avi,asf,mov,mpeg,mpegts,mpegvideo,matroska,webm,flv,dv,mxf,ogg,h264,'
    'hevc,m4v,vc1,rm,nut,ivf,gxf,wtv'
)
_ERRORS = 'errors in the picture data'


class VideoError(ValueError):
    """A file that cannot be read as a video at all."""


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
    """

    path: Path
    width: int
    height: int
    duration: float | None
    rate: float
    codec: str
    container: str
    sar: float


def probe(path, sar='square'):
    """Read what a video says of itself, and its first frame.

    Args:
        path (Path): The file.
        sar (str): As :func:`read_video`.

    Returns:
        VideoInfo: Its size, length and so on.

    Raises:
        VideoError: If there is no frame to be read.
    """
    for _ in read_video(path, sar=sar, wanted=lambda index, time: True):
        break
    else:
        raise VideoError('no frame of it can be decoded')
    with _opened(path) as container:
        stream = container.streams.video[0]
        ratio = _sample_aspect(stream)
        size = stream.codec_context.width, stream.codec_context.height
        width, height = _square(*size, ratio) if sar == 'square' else size
        if _turns(_first_frame(container, stream)) % 2:
            width, height = height, width
        return VideoInfo(
            Path(path),
            width,
            height,
            _duration(container, stream),
            _rate(stream),
            stream.codec_context.name,
            container.format.name,
            ratio,
        )


def read_video(
    path,
    deinterlace='auto',
    sar='square',
    wanted=None,
    problems=None,
    key_frames=False,
    stats=None,
):
    """Decode a video frame by frame; memory does not grow with its length.

    A damaged part is left out up to the next key frame, for what is decoded
    from it is damaged as well; then reading goes on.

    Args:
        path (Path): The file.
        deinterlace (str): ``'auto'`` deinterlaces the frames that are
            flagged as interlaced, ``'on'`` all, ``'off'`` none.
        sar (str): ``'square'`` resamples anamorphic video to square pixels:
            the denser axis is reduced, so that no detail is made up.
            ``'keep'`` returns the samples as they are stored.
        wanted (Callable, optional): ``wanted(index, time)`` tells whether a
            frame is to be returned; the others cost decoding only.
        problems (list, optional): Gets ``(seconds, text)`` of each damage.
        key_frames (bool): Decode key frames only.
        stats (dict, optional): Gets ``decoded`` and ``interlaced``, numbers
            of frames.

    Yields:
        tuple[int, float, np.ndarray]: Index of the frame, its time in
        seconds from the first one, and ``(H, W, 3)`` uint8 RGB.

    Raises:
        VideoError: If the file is no video.
    """
    problems = [] if problems is None else problems
    stats = {} if stats is None else stats
    level = av.logging.get_level()
    # Some decoders tell of damage by a message only; nothing is printed.
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture(local=False) as log, _opened(path) as video:
            stream = video.streams.video[0]
            if key_frames:
                stream.codec_context.skip_frame = 'NONKEY'
            decoder = _Decoder(video, stream, log, problems)
            frames = _timed(decoder, _rate(stream), stats)
            if deinterlace != 'off':
                frames = _deinterlaced(frames, deinterlace == 'on')
            yield from _images(frames, _sample_aspect(stream), sar, wanted)
            if not key_frames:
                _check_end(decoder, video, stream, problems)
    finally:
        av.logging.set_level(level)


def _opened(path):
    path = Path(path)
    if not path.stat().st_size:
        raise VideoError('an empty file')
    try:
        container = av.open(
            os.fspath(path.absolute()),
            options={
                'protocol_whitelist': 'file',
                'format_whitelist': _FORMATS,
            },
            metadata_errors='replace',
        )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoError(
            f'no video, or its start or index is missing ({_short(error)})'
        ) from error
    if not container.streams.video:
        container.close()
        raise VideoError('it holds no picture track')
    return container


def _short(error):
    text = getattr(error, 'strerror', None) or str(error) or type(error)
    return str(text).split('\n')[0]


def _rate(stream):
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate
    return float(rate) if rate else 25.0


def _sample_aspect(stream):
    ratio = float(stream.sample_aspect_ratio or 1)
    return ratio if 0.25 <= ratio <= 4 else 1.0


def _square(width, height, ratio):
    if ratio > 1:
        return width, max(1, round(height / ratio))
    return max(1, round(width * ratio)), height


def _duration(container, stream):
    """Return the seconds of the picture track, None if not known."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    if container.duration and len(container.streams) == 1:
        return container.duration / av.time_base
    return None


def _first_frame(container, stream):
    try:
        return next(container.decode(stream))
    except (StopIteration, av.error.FFmpegError):
        return None


def _turns(frame):
    """Return how many quarter turns to the left make a frame upright."""
    return round((getattr(frame, 'rotation', 0) or 0) / 90) % 4


class _Decoder:
    """Iterate over the sound frames; note damage."""

    def __init__(self, container, stream, log, problems):
        self.container, self.stream = container, stream
        self.log, self.problems = log, problems
        self.time = 0.0
        self.damaged, self.damaged_pts = False, None
        self.start = None
        self.index = -1  # counts the damaged ones, too

    def _note(self, text, pts=None):
        if not self.damaged:
            self.problems.append((round(self.time, 3), text))
        self.damaged, self.damaged_pts = True, pts

    def _is_sound_again(self, frame):
        # Frames come out later than they go in, so that a key frame may be
        # an older one, or the damaged one itself.
        return frame.key_frame and (
            self.damaged_pts is None
            or frame.pts is None
            or frame.pts > self.damaged_pts
        )

    def _packets(self):
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError as error:
                self._note(f'reading stops: {_short(error)}')
                return
            yield packet

    def __iter__(self):
        for packet in self._packets():
            self.log.clear()
            frames, failure = [], ''
            try:
                frames = packet.decode()
            except av.error.EOFError:
                pass
            except av.error.FFmpegError as error:
                failure = _short(error)
            # H.264 hides an error and says so in a message only.
            if packet.is_corrupt or any(
                'error while decoding' in entry[2] for entry in self.log
            ):
                failure = failure or _ERRORS
            if failure:
                self._note(f'damaged: {failure}', packet.pts)
            for frame in frames:
                self.index += 1
                self._set_time(frame)
                if frame.is_corrupt:
                    self._note(f'damaged: {_ERRORS}', frame.pts)
                elif self.damaged and self._is_sound_again(frame):
                    self.damaged = False
                if not self.damaged:
                    yield frame

    def _set_time(self, frame):
        time = frame.time
        if time is not None:
            if self.start is None:
                self.start = time
            self.time = max(self.time, time - self.start)


def _timed(decoder, rate, stats):
    """Yield index, time and frame."""
    stats.update(decoded=0, interlaced=0)
    for frame in decoder:
        stats['decoded'] += 1
        stats['interlaced'] += bool(frame.interlaced_frame)
        if frame.time is None:  # a container without time stamps
            decoder.time = decoder.index / rate
        yield decoder.index, decoder.time, frame


def _deinterlaced(frames, always):
    """Send the frames through bwdif, which holds some of them back."""
    graph, kind, held = None, None, []
    for index, time, frame in frames:
        if kind != (frame.width, frame.height, frame.format.name):
            yield from _flushed(graph, held)
            kind = (frame.width, frame.height, frame.format.name)
            graph = _bwdif(frame, always)
        held.append((index, time, _turns(frame)))
        graph.vpush(frame)
        yield from _pulled(graph, held)
    yield from _flushed(graph, held)


def _bwdif(frame, always):
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base,
    )
    kind = 'all' if always else 'interlaced'
    bwdif = graph.add('bwdif', f'mode=send_frame:deint={kind}')
    sink = graph.add('buffersink')
    graph.link_nodes(source, bwdif, sink).configure()
    return graph


def _pulled(graph, held):
    while held:
        try:
            frame = graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        index, time, _ = held.pop(0)
        yield index, time, frame


def _flushed(graph, held):
    if graph is not None:
        graph.vpush(None)
        yield from _pulled(graph, held)
    held.clear()


def _images(frames, ratio, sar, wanted):
    reformatter = VideoReformatter()
    for index, time, frame in frames:
        if wanted is not None and not wanted(index, time):
            continue
        size = frame.width, frame.height
        width, height = _square(*size, ratio) if sar == 'square' else size
        unknown = frame.colorspace == _COLORSPACE_UNSPECIFIED
        hd = unknown and frame.height >= _HD_HEIGHT
        image = reformatter.reformat(
            frame,
            width,
            height,
            'rgb24',
            src_colorspace='ITU709' if hd else None,
            interpolation='BICUBIC',
        ).to_ndarray()
        turns = _turns(frame)
        yield index, time, np.rot90(image, turns) if turns else image


def _check_end(decoder, container, stream, problems):
    expected = _duration(container, stream)
    if expected is None or decoder.start is None or decoder.damaged:
        return
    end = decoder.time + 1 / _rate(stream)
    missing = expected - end
    if missing > max(_MISSING_SECONDS, _MISSING_SHARE * expected):
        problems.append(
            (
                round(decoder.time, 3),
                f'cut short: it ends at {end:.1f} s of {expected:.1f} s',
            )
        )
