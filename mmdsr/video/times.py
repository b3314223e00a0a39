"""Times of the frames of a video, from its packets alone.

A damaged file can crash FFmpeg, and the process with it: see
:mod:`mmdsr.video.decoder`.
"""

import heapq
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

import av.error
from av.packet import Packet

from mmdsr.video.decoder import at_first_frame
from mmdsr.video.opening import MPEG, decoding_time, opened
from mmdsr.video.stamps import Timeline, starts_anew
from mmdsr.video.tracks import frame_rate, is_format

_REORDERED = 16
"""Number of packets by which a frame may be shown later than decoded."""

Stamp = TypeVar('Stamp', int, float)


def frame_times(path: Path | str) -> Iterator[float]:
    """Yield the times of the frames, which are not decoded.

    They are those of :func:`mmdsr.video.decoder.decode_video`, except where
    it is damaged.

    Args:
        path: The file.

    Yields:
        Seconds since the first frame.

    Raises:
        VideoError: If the file is not a video.
    """
    with at_first_frame(path) as (_, _, _, first):
        pass
    # Reopened, as packets were consumed.
    with opened(path) as (container, stream, _):
        wraps = is_format(container, MPEG)
        line, index = Timeline(frame_rate(stream), wraps), 0
        for stamp in _shown_stamps(container.demux(stream), wraps):
            # Frames that come before the first key frame are not decoded.
            if index or stamp is None or stamp > first - 1e-6:
                yield line.place(stamp, index)
                index += 1


class ShownOrder(Generic[Stamp]):
    """Sorts the stamps of packets, which come in the order of decoding."""

    def __init__(self) -> None:
        self._waiting: list[Stamp] = []

    def add(self, stamp: Stamp) -> list[Stamp]:
        """Add the stamp of the next packet.

        Args:
            stamp: When its frame is shown.

        Returns:
            The next stamps in the order of display that are certain.
        """
        heapq.heappush(self._waiting, stamp)
        more = len(self._waiting) > _REORDERED
        return [heapq.heappop(self._waiting)] if more else []

    def rest(self) -> list[Stamp]:
        """Return the others; begin anew.

        Returns:
            The stamps that :meth:`add` has not returned, sorted.
        """
        waiting, self._waiting = self._waiting, []
        return sorted(waiting)


def _shown_stamps(
    packets: Iterable[Packet], wraps: bool
) -> Iterator[float | None]:
    """Yield the stamps of packets in seconds, in the order of display."""
    order: ShownOrder[float] = ShownOrder()
    last = None
    try:
        for packet in packets:
            if not packet.size:
                continue
            stamp = now = decoding_time(packet)
            if (
                last is not None
                and now is not None
                and starts_anew(last, now, wraps)
            ):
                yield from order.rest()
            last = now
            if packet.pts is not None and packet.time_base is not None:
                stamp = float(packet.pts * packet.time_base)
            if stamp is None:
                yield None
            else:
                yield from order.add(stamp)
    except av.error.FFmpegError:
        pass  # decoding says where it is damaged
    yield from order.rest()
