"""Reading the facts of a recording, within this process.

A damaged file can crash FFmpeg, and the process with it: use
:func:`mmdsr.recording.facts.read_facts`.
"""

from collections import Counter
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import av
import av.error
import av.logging
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from mmdsr.errors import VideoError
from mmdsr.recording.facts import (
    BT470BG,
    BT709,
    FULL,
    LIMITED,
    SMPTE170M,
    UNKNOWN,
    Colors,
    Facts,
    Sound,
)
from mmdsr.video.decoder import at_first_frame
from mmdsr.video.files import av_name
from mmdsr.video.pictures import quarter_turns, sample_aspect
from mmdsr.video.spans import Spans
from mmdsr.video.times import ShownOrder, frame_times

_HD_HEIGHT = 720
_PAL_HEIGHT = 576
#: Matrices that luma and color differences can be converted with.
_MATRICES = {1, 4, 5, 6, 7, 9}


def scan(path: Path) -> Facts:
    """Read the metadata of a recording.

    Args:
        path: The file.

    Raises:
        VideoError: If no frame can be read.
    """
    av.logging.set_level(av.logging.PANIC)
    with at_first_frame(path) as (container, stream, frame, stamp):
        if frame is None:
            raise VideoError('no frame of it can be decoded')
        turns = quarter_turns(frame)
        size = frame.width, frame.height
        if turns % 2:
            size = size[1], size[0]
        number = stream.index
        known: dict[str, Any] = dict(
            width=size[0],
            height=size[1],
            sar=_aspect(stream, turns),
            turned=90 * turns,
            interlaced=bool(frame.interlaced_frame),
            colors=_colors(frame),
            codec=stream.codec_context.name,
            container=container.format.name,
            tracks=len(container.streams.video),
        )
    return Facts(**known, **_packets(path, number, stamp))


def section(path: str, start: float, end: float | None) -> dict[str, int]:
    """Find the frames between two times.

    Args:
        path: The file.
        start: Seconds since the first frame.
        end: Seconds; None for the end.

    Returns:
        Number of the ``first`` frame and of the one ``after`` the last.

    Raises:
        VideoError: If no frame can be read.
    """
    av.logging.set_level(av.logging.PANIC)
    within = Spans(1, start=start, end=end).within
    first = after = 0
    for index, time in enumerate(frame_times(path)):
        if within(time):
            after = index + 1
        elif after:
            break
        else:
            first = index + 1
    return dict(first=first, after=after)


def _aspect(stream: VideoStream, turns: int) -> str:
    aspect = stream.sample_aspect_ratio or Fraction(1)
    if float(aspect) != sample_aspect(stream):
        aspect = Fraction(1)  # not credible
    aspect = 1 / aspect if turns % 2 else aspect
    return f'{aspect.numerator}/{aspect.denominator}'


def _colors(frame: VideoFrame) -> Colors:
    """Return how a frame was converted to RGB, in the codes of its file.

    What the file leaves open is named: the enlarged picture is taller, so
    that players would guess another matrix.
    """
    matrix = int(frame.colorspace)
    if matrix not in _MATRICES:
        matrix = BT709
        if frame.height < _HD_HEIGHT:
            matrix = BT470BG if frame.height == _PAL_HEIGHT else SMPTE170M
    full = frame.color_range == FULL or frame.format.name.startswith('yuvj')
    return Colors(
        matrix,
        FULL if full else LIMITED,
        int(frame.color_primaries) or UNKNOWN,
        int(frame.color_trc) or UNKNOWN,
    )


def _packets(path: Path, number: int, stamp: float) -> dict:
    """Count the packets of the film and find where its sound begins."""
    with av.open(
        av_name(path),
        options={'protocol_whitelist': 'file'},
        metadata_errors='replace',
    ) as container:
        stream = cast(VideoStream, container.streams[number])
        sounds = list(container.streams.audio)
        tick = stream.time_base or Fraction(1, 90_000)
        order: ShownOrder[int] = ShownOrder()
        shown: list[int] = []  # the last two, of those that are certain
        gaps: Counter[int] = Counter()
        begins: dict[int, float] = {}
        count, low, high = 0, None, None
        try:
            for packet in container.demux([stream, *sounds]):
                if not packet.size:
                    continue
                if packet.stream_index != number:
                    if packet.pts is not None:
                        begins.setdefault(
                            packet.stream_index,
                            float(packet.pts * packet.time_base),
                        )
                    continue
                count += 1
                if packet.pts is None:
                    continue
                low = packet.pts if low is None else min(low, packet.pts)
                high = packet.pts if high is None else max(high, packet.pts)
                shown = [*shown[-1:], *order.add(packet.pts)]
                gaps.update(b - a for a, b in pairwise(shown))
        except av.error.FFmpegError:
            pass  # decoding says where it is damaged
        shown = [*shown[-1:], *order.rest()]
        gaps.update(b - a for a, b in pairwise(shown))
        rate = _rate(stream, gaps, tick)
        length = count / rate
        if low is not None and high is not None and high > low:
            length = float((high - low) * tick) + 1 / rate
        return dict(
            frames=count,
            duration=length,
            rate=rate,
            time_base=f'{tick.numerator}/{tick.denominator}',
            # A rate that is not a whole number of ticks has two gaps.
            variable=bool(gaps) and max(gaps) - min(gaps) > 1,
            first=round(stamp / tick),
            sounds=tuple(
                Sound(
                    sound.index,
                    sound.codec_context.codec.canonical_name,
                    round(begins[sound.index] - stamp, 6),
                    sound.rate or 0,
                    sound.channels or 0,
                )
                for sound in sounds
                if sound.index in begins and _is_usable(sound)
            ),
        )


def _is_usable(sound: AudioStream) -> bool:
    """Distinguish a sound track from one that damage has made up."""
    known = sound.codec_context is not None
    return known and bool(sound.rate and sound.channels)


def _rate(stream: VideoStream, gaps: Counter[int], tick: Fraction) -> float:
    total = sum(gap * n for gap, n in gaps.items() if gap > 0)
    if total:
        return float(sum(n for g, n in gaps.items() if g > 0) / (total * tick))
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate
    return float(rate) if rate else 25.0
