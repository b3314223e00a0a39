"""Putting encoded segments behind each other, with the sound of the source.

Nothing is encoded here. A segment counts its pictures from 0; their ticks in
the recording are in the file beside it. The source is read for its sound, so
this is also run in a separate process (:mod:`mmdsr.recording.child`).
"""

import heapq
import io
import json
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias, cast

import av
import av.error
import av.logging
from av.audio.stream import AudioStream

from mmdsr.errors import VideoError
from mmdsr.recording.matroska import set_display_size
from mmdsr.video.files import av_name

#: Seconds at which it is decoded, number of its audio track (None for a
#: picture), and the packet.
_Timed: TypeAlias = tuple[float, int | None, av.Packet]
#: FFmpeg's names of the formats.
FORMATS = {'.mkv': 'matroska', '.mp4': 'mp4'}
#: Sound that cannot be read on is left out from there.
_END_OF_SOUND = 'the sound ends at {:.1f} s: {}'


def join(
    target: str,
    kind: str,
    segments: list[tuple[str, str]],
    source: str,
    tick: str,
    begin: int,
    frame: int,
    start: float,
    end: float | None,
    sounds: list[int],
    lead: float,
    sar: str,
    tags: dict[str, str],
) -> dict:
    """Write the film.

    Args:
        target: File to be written.
        kind: ``'.mp4'`` or ``'.mkv'``.
        segments: Their films and notes, in order.
        source: The recording.
        tick: Seconds of a tick, as a fraction.
        begin: Ticks of its first picture in the source's own count.
        frame: Ticks that the last picture is shown.
        start: Seconds after the first picture at which the film begins.
        end: Seconds at which it ends; None for the end.
        sounds: Numbers of the audio tracks that are copied.
        lead: Seconds by which the sound begins before the film.
        sar: Width of a pixel divided by its height, as a fraction.
        tags: Metadata to be written.

    Returns:
        ``notes`` on omitted parts, and the number of sound ``packets``.

    Raises:
        VideoError: If the recording cannot be read any more.
        OSError: If the film cannot be written.
    """
    av.logging.set_level(av.logging.PANIC)
    base = Fraction(tick)
    origin = round((start - lead) / base)
    notes: list[str] = []
    delay = max(_delay(_places_of(*segment)) for segment in segments)
    # Without checksums the head may be amended.
    options = {'write_crc32': '0'}
    if kind == '.mp4':
        options = {'movflags': '+faststart+use_metadata_tags'}
    amend = kind == '.mkv' and Fraction(sar) != 1
    with (
        av.open(
            av_name(target), 'w', format=FORMATS[kind], options=options
        ) as out,
        av.open(av_name(segments[0][0])) as first,
        _source(source) as old,
    ):
        film = out.add_stream_from_template(first.streams.video[0])
        film.time_base = base
        if amend:
            film.set_display_rotation(90)  # a place holder
            size = film.codec_context.width, film.codec_context.height
        out.metadata.update(tags)
        tracks = {}
        for number in sounds:
            tracks[number] = out.add_stream_from_template(
                cast(AudioStream, old.streams[number])
            )
        out.start_encoding()
        films, lines = zip(*segments, strict=True)
        ticks, late = _ticks(lines)
        if late:
            found = '1 frame has' if late == 1 else f'{late} frames have'
            notes.append(
                f'{found} the time of the frame before; in the film, there '
                f'are {tick} s between them.'
            )
        pictures = _pictures(films, ticks, base, origin, frame, delay)
        sound: Iterator[_Timed] = iter(())
        if tracks:
            zero = float((begin + origin) * base)
            low = 0.0 if start else -math.inf
            high = math.inf if end is None else end - start + lead
            sound = _sound(old, tracks, zero, (low, high), notes)
        count = 0
        for _, track, packet in heapq.merge(
            pictures, sound, key=lambda item: item[0]
        ):
            packet.stream = film if track is None else tracks[track]
            count += track is not None
            out.mux_one(packet)
    if amend:
        set_display_size(Path(target), *size, Fraction(sar))
    return {'notes': notes, 'packets': count}


def check_sound(source: str, sounds: list[int], suffix: str) -> dict:
    """Find out whether audio tracks can be copied, before anything is made.

    Args:
        source: The recording.
        sounds: Numbers of its audio tracks.
        suffix: Suffix of the film.

    Returns:
        Nothing.

    Raises:
        VideoError: If the format does not support them.
    """
    av.logging.set_level(av.logging.PANIC)
    with (
        av.open(io.BytesIO(), 'w', format=FORMATS[suffix]) as out,
        _source(source) as old,
    ):
        names = set()
        try:
            for number in sounds:
                track = cast(AudioStream, old.streams[number])
                names.add(track.codec_context.codec.canonical_name)
                out.add_stream_from_template(track)
            out.start_encoding()
        except (av.error.FFmpegError, ValueError) as error:
            raise VideoError(
                f'its sound ({", ".join(sorted(names))}) cannot be copied '
                f'into {suffix}: end OUT in .mkv, which takes nearly all, or '
                'leave the sound out with --audio none'
            ) from error
    return {}


def _source(path: str) -> av.container.InputContainer:
    try:
        return av.open(
            av_name(path),
            options={'protocol_whitelist': 'file'},
            metadata_errors='replace',
        )
    except av.error.FFmpegError as error:
        # Otherwise, it would be taken for an error of the film.
        raise VideoError(
            f'its sound cannot be read: {error.strerror}'
        ) from error


def _ticks(notes: Sequence[str]) -> tuple[list[list[int]], int]:
    """Read when the pictures of all segments are shown.

    Two pictures at one time can be decoded from some files but written to
    none: the second one is shown a tick later.

    Returns:
        Increasing ticks for each segment, and how many were put off.
    """
    last, late = None, 0
    shown = []
    for note in notes:
        content = json.loads(Path(note).read_text())
        own = []
        for frame in content['frames']:
            tick = frame['ticks']
            if last is not None and tick <= last:
                tick, late = last + 1, late + 1
            own.append(last := tick)
        shown.append(own)
    return shown, late


def _packets(container: av.container.InputContainer) -> Iterator[av.Packet]:
    packets = container.demux(container.streams.video[0])
    return (packet for packet in packets if packet.size)


def _places(film: str) -> list[int]:
    """Return the places of the pictures of a segment, in coded order."""
    with av.open(av_name(film)) as container:
        stamps = [packet.pts or 0 for packet in _packets(container)]
    places = {stamp: place for place, stamp in enumerate(sorted(stamps))}
    return [places[stamp] for stamp in stamps]


def _places_of(film: str, note: str) -> list[int]:
    """Return the places of a finished segment; one that is damaged is not."""
    try:
        return _places(film)
    except PermissionError:
        raise
    except (av.error.FFmpegError, IndexError) as error:
        Path(note).unlink(missing_ok=True)
        raise VideoError(
            f'the finished segment {Path(film).name} is damaged: repeat the '
            'command, which makes it anew'
        ) from error


def _delay(places: list[int]) -> int:
    """Return the number of pictures by which decoding precedes display."""
    return max(number - place for number, place in enumerate(places))


def _pictures(
    films: Sequence[str],
    ticks: Sequence[Sequence[int]],
    base: Fraction,
    origin: int,
    frame: int,
    delay: int,
) -> Iterator[_Timed]:
    """Yield the packets of all segments.

    A picture is decoded when the one ``delay`` before it is shown, so that
    no time stamp decreases where two segments meet.
    """
    before: list[int] = []  # ticks of the last `delay` pictures
    for number, film in enumerate(films):
        own = [one - origin for one in ticks[number]]
        if not before:
            before = [own[0] - n for n in range(delay, 0, -1)]
        shown = before + own
        after = own[-1] + frame
        if number + 1 < len(films):
            after = ticks[number + 1][0] - origin
        ends = [*own[1:], after]
        places = _places(film)
        with av.open(av_name(film)) as container:
            for n, packet in enumerate(_packets(container)):
                place = places[n]
                packet.time_base = base
                packet.pts, packet.dts = own[place], shown[n]
                packet.duration = ends[place] - own[place]
                yield float(packet.dts * base), None, packet
        before = shown[len(shown) - delay :]


def _sound(
    old: av.container.InputContainer,
    tracks: dict[int, AudioStream],
    zero: float,
    span: tuple[float, float],
    notes: list[str],
) -> Iterator[_Timed]:
    """Yield the packets of the sound within a span of the film.

    ``zero`` is where the film begins, in seconds of the source.
    """
    last: dict[int, int] = {}
    packets = old.demux(*(old.streams[number] for number in tracks))
    time = 0.0
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.error.FFmpegError as error:
            notes.append(_END_OF_SOUND.format(time, error.strerror))
            return
        if not packet.size or packet.pts is None:
            continue
        number = packet.stream_index
        stamp = packet.pts if packet.dts is None else packet.dts
        if stamp < last.get(number, stamp):
            notes.append(_END_OF_SOUND.format(time, 'its stamps restart'))
            return
        last[number] = stamp
        base = packet.time_base
        time = float(packet.pts * base) - zero
        if not span[0] <= time < span[1]:
            continue
        shift = round(Fraction(zero) / base)
        packet.pts -= shift
        packet.dts = stamp - shift
        yield time, number, packet
