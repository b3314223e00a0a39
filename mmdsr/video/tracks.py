"""Which of the picture tracks of a file is the film."""

from collections import Counter

import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from mmdsr.errors import VideoError

_TRACK_PACKETS = 300
"""Number of packets that are counted to tell a film from a cover."""


def picture_tracks(container: InputContainer) -> list[VideoStream]:
    """List the picture tracks of a file.

    Args:
        container: The file.

    Returns:
        The tracks with a known codec, at least one.

    Raises:
        VideoError: If there is none.
    """
    tracks = container.streams.video
    if not tracks:
        raise VideoError('it holds no picture track')
    known = [track for track in tracks if track.codec_context is not None]
    if not known:
        raise VideoError('its codec is not known')
    return known


def film_track(container: InputContainer) -> tuple[int, int]:
    """Tell which picture track is the film, and how many films there are.

    A cover is a track, too, and may come first: it has only one picture.

    Args:
        container: The file; it is read from.

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
        pass  # reading says where it is damaged
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
