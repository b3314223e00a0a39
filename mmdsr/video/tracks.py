"""The main video track of a file, and a description of it."""

from collections import Counter

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from mmdsr.errors import VideoError

# In these formats, the duration starts at stamp 0, not at the first stamp.
_FROM_ZERO = ('matroska', 'flv')
_TRACK_PACKETS = 300
"""Number of packets to read to distinguish a film from a cover."""


def picture_tracks(container: InputContainer) -> list[VideoStream]:
    """Return the video tracks of a file.

    Args:
        container: The file.

    Returns:
        The tracks with a known codec, at least one.

    Raises:
        VideoError: If there is none.
    """
    tracks = container.streams.video
    if not tracks:
        raise VideoError('it contains no video track')
    known = [track for track in tracks if track.codec_context is not None]
    if not known:
        raise VideoError('its codec is unknown')
    return known


def film_track(container: InputContainer) -> tuple[int, int]:
    """Return the main video track and the number of video tracks.

    A cover is a track, too, and may come first: it has only one picture.

    Args:
        container: The file, which is partly read.

    Returns:
        The index in :func:`picture_tracks`, and the number of films.
    """
    streams = picture_tracks(container)
    counts: Counter[int] = Counter()
    try:
        for number, packet in enumerate(container.demux(streams)):
            counts[packet.stream_index] += packet.size > 0
            if number == _TRACK_PACKETS:
                break
    except av.error.FFmpegError:
        pass  # reading the video reports the damage
    films = [
        number
        for number, stream in enumerate(streams)
        if counts[stream.index] > 1
        and not stream.disposition & stream.disposition.attached_pic
    ]
    if not films:
        return max(
            range(len(streams)), key=lambda n: counts[streams[n].index]
        ), 1
    sizes = [streams[n].width * streams[n].height for n in films]
    return films[sizes.index(max(sizes))], len(films)


def frame_rate(stream: VideoStream) -> float:
    """Return the frames per second of a video track, 25 if unknown.

    Args:
        stream: The track.

    Returns:
        The rate.
    """
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate
    return float(rate) if rate else 25.0


def is_format(container: InputContainer, names: tuple[str, ...]) -> bool:
    """Return whether a file has one of some formats.

    Args:
        container: The file.
        names: FFmpeg's names of the formats.

    Returns:
        Whether it has.
    """
    return any(name in names for name in container.format.name.split(','))


def start_time(container: InputContainer, stream: VideoStream) -> float:
    """Return the first time stamp that a file states.

    Args:
        container: The file.
        stream: Its picture track.

    Returns:
        The time in seconds.
    """
    if stream.start_time is not None and stream.time_base is not None:
        return float(stream.start_time * stream.time_base)
    return (container.start_time or 0) / av.time_base


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Return the duration that the file states, in seconds, if any."""
    if stream.duration and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration and len(container.streams) == 1:
        return container.duration / av.time_base
    return None


def film_length(
    container: InputContainer, stream: VideoStream
) -> float | None:
    """Return the length that a file states for its picture track.

    Args:
        container: The file.
        stream: Its picture track.

    Returns:
        The length in seconds; None if it is unknown.
    """
    duration = _duration(container, stream)
    if duration is None:
        return None
    start = start_time(container, stream)
    if is_format(container, _FROM_ZERO) and 0 < start < duration:
        return duration - start
    return duration
