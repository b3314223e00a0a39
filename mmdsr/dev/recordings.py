"""Small recordings of every kind that cameras and programs write."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

SOUNDS = {'.mp4': 'aac', '.mov': 'aac', '.mkv': 'aac', '.mpg': 'mp2'}
SOUNDS |= {'.avi': 'mp2', '.ts': 'mp2', '.wmv': 'wmav2'}
CODECS = {'.mp4': 'libx264', '.mov': 'libx264', '.mkv': 'libx264'}
CODECS |= {'.mpg': 'mpeg2video', '.avi': 'mpeg4', '.ts': 'mpeg2video'}
CODECS |= {'.wmv': 'wmv2'}
#: Flags of a codec: coded as fields, and motion between fields.
INTERLACED = 0x40000 | 0x20000000
_SOUND_RATE = 48000


def write_recording(
    path: Path,
    pictures: Sequence[np.ndarray],
    rate: int | Fraction = 25,
    stamps: Sequence[int] | None = None,
    sound: bool = False,
    sar: str | Fraction | None = None,
    interlaced: bool = False,
    colors: dict[str, int] | None = None,
    pix_fmt: str = 'yuv420p',
    delay: float = 0.0,
) -> Path:
    """Encode a recording in the format of its suffix.

    Args:
        path: File to be written, with a suffix of :data:`CODECS`.
        pictures: (H, W, 3) uint8 RGB each.
        rate: Pictures per second, or ticks of ``stamps`` per second.
        stamps: Time of each picture in ticks; None for one picture per tick.
        sound: Whether to add a tone.
        sar: Width of a pixel divided by its height.
        interlaced: Whether to encode it as fields.
        colors: ``colorspace``, ``color_range``, ``color_primaries`` and
            ``color_trc`` in FFmpeg's codes; None to leave them open.
        pix_fmt: FFmpeg's name of the format of the pixels.
        delay: Seconds before the first picture.

    Returns:
        ``path``.
    """
    import av

    suffix = path.suffix
    with av.open(str(path), 'w') as container:
        options = {'crf': '8'} if CODECS[suffix] == 'libx264' else {}
        # By name, PyAV's hints know nothing of the kind of stream.
        film: Any = container.add_stream(
            CODECS[suffix], rate=rate, options=options
        )
        film.height, film.width = pictures[0].shape[:2]
        film.pix_fmt, film.bit_rate = pix_fmt, 4_000_000
        context = film.codec_context
        context.gop_size = 6
        if sar:
            context.sample_aspect_ratio = Fraction(sar)
        if interlaced:
            context.flags |= INTERLACED
        for name, value in (colors or {}).items():
            setattr(context, name, value)
        track: Any = None
        if sound:
            track = container.add_stream(SOUNDS[suffix], rate=_SOUND_RATE)
            track.codec_context.layout = 'stereo'
            track.codec_context.bit_rate = 128_000
        for number, content in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(content), 'rgb24'
            )
            if colors:
                frame = frame.reformat(
                    format=pix_fmt,
                    dst_colorspace=colors['colorspace'],
                    dst_color_range=colors['color_range'],
                )
            stamp = number if stamps is None else stamps[number]
            frame.pts = stamp + round(delay * rate)
            frame.time_base = 1 / Fraction(rate)
            container.mux(film.encode(frame))
        container.mux(film.encode())
        if track is not None:
            last = len(pictures) if stamps is None else stamps[-1] + 1
            for packet in _hum(track, float(last / rate)):
                container.mux(packet)
    return path


def _hum(track: Any, seconds: float) -> Iterator[Any]:  # noqa: ANN401
    """Yield packets of a rising tone."""
    import av

    size = track.codec_context.frame_size or 1152
    for number in range(int(seconds * _SOUND_RATE) // size):
        t = (np.arange(size) + number * size) / _SOUND_RATE
        wave = (8000 * np.sin(2 * np.pi * (300 + 200 * t) * t)).astype('i2')
        block = av.AudioFrame.from_ndarray(
            np.repeat(wave, 2)[None], 's16', 'stereo'
        )
        block.sample_rate, block.pts = _SOUND_RATE, number * size
        block.time_base = Fraction(1, _SOUND_RATE)
        yield from track.encode(block)
    yield from track.encode()


def turn(path: Path, target: Path, degrees: int) -> Path:
    """Copy a recording and set the rotation for players.

    Args:
        path: The recording.
        target: The copy.
        degrees: Rotation to the left.

    Returns:
        ``target``.
    """
    import av

    with av.open(str(path)) as old, av.open(str(target), 'w') as new:
        # By name, PyAV's hints know nothing of the kind of stream.
        copies: dict[int, Any] = {}
        for stream in old.streams:
            copies[stream.index] = new.add_stream_from_template(stream)
            if stream.type == 'video':
                copies[stream.index].set_display_rotation(degrees)
        for packet in old.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                new.mux(packet)
    return target
