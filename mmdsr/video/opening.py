"""Opening a video file at its main track."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from mmdsr.errors import VideoError
from mmdsr.video.files import av_name
from mmdsr.video.tracks import film_track, picture_tracks

#: FFmpeg's names of the formats whose stamps wrap around.
MPEG = ('mpegts', 'mpeg')
# Formats that contain their pictures: a playlist would open other locations
# and wait for more data.
_FORMATS = (
    'avi,asf,mov,mpeg,mpegts,mpegvideo,matroska,webm,flv,dv,mxf,ogg,h264,'
    'hevc,m4v,vc1,rm,nut,ivf,gxf,wtv'
)
_MAX_PIXELS = 2**28
"""FFmpeg's own limit; a film of 8-megapixel pictures has half as many."""


@contextmanager
def opened(
    path: Path | str,
) -> Iterator[tuple[InputContainer, VideoStream, int]]:
    """Open a video.

    Args:
        path: The file.

    Yields:
        Container, main track and number of films in it.

    Raises:
        VideoError: If the file is not a video.
    """
    container = _open(path)
    try:
        number, tracks = 0, 1
        if len(picture_tracks(container)) > 1:
            number, tracks = film_track(container)
            # Reopen it, as counting has consumed part of the file.
            container.close()
            container = _open(path)
        stream = picture_tracks(container)[number]
        stream.codec_context.options = {'max_pixels': str(_MAX_PIXELS)}
        yield container, stream, tracks
    finally:
        container.close()


def _open(path: Path | str) -> InputContainer:
    try:
        return av.open(
            av_name(path),
            options={
                'protocol_whitelist': 'file',
                'format_whitelist': _FORMATS,
            },
            metadata_errors='replace',
        )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoError(
            f'not a video, or its start or index is missing ({short(error)})'
        ) from error


def short(error: BaseException) -> str:
    """Return the first line of the message of an error.

    Args:
        error: The error.

    Returns:
        One line.
    """
    text = getattr(error, 'strerror', None) or str(error)
    return text.split('\n')[0] or type(error).__name__


def decoding_time(packet: Packet) -> float | None:
    """Return when a packet is to be decoded.

    Args:
        packet: The packet.

    Returns:
        Seconds; None without a stamp.
    """
    if packet.dts is None or packet.time_base is None:
        return None
    return float(packet.dts * packet.time_base)
