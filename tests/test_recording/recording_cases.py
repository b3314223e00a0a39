"""Recordings of every kind, made on the spot, and what is in a film."""

from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np
from video_makers import drive, texture

from mmdsr import SuperResolver
from mmdsr.recording.export import enhance_recording
from mmdsr.recording.options import RecordingOptions

SOUNDS = {'.mp4': 'aac', '.mov': 'aac', '.mkv': 'aac', '.mpg': 'mp2'}
SOUNDS |= {'.avi': 'mp2', '.ts': 'mp2', '.wmv': 'wmav2'}
CODECS = {'.mp4': 'libx264', '.mov': 'libx264', '.mkv': 'libx264'}
CODECS |= {'.mpg': 'mpeg2video', '.avi': 'mpeg4', '.ts': 'mpeg2video'}
CODECS |= {'.wmv': 'wmv2'}


class Shown(NamedTuple):
    """What is in a film."""

    times: list[Fraction]
    pictures: list[np.ndarray]
    sounds: list[tuple[Fraction, bytes]]


def frames(count=12, size=(64, 48), growth=1.03):
    return drive(texture(), count, growth, size=size)


def record(
    path,
    pictures,
    rate=25,
    stamps=None,
    sound=False,
    sar=None,
    interlaced=False,
    colors=None,
    pix_fmt='yuv420p',
    delay=0.0,
):
    """Encode a recording; the suffix tells how."""
    suffix = path.suffix
    with av.open(str(path), 'w') as container:
        options = {'crf': '8'} if CODECS[suffix] == 'libx264' else {}
        film = container.add_stream(CODECS[suffix], rate=rate, options=options)
        film.height, film.width = pictures[0].shape[:2]
        film.pix_fmt, film.bit_rate = pix_fmt, 4_000_000
        context = film.codec_context
        context.gop_size = 6
        if sar:
            context.sample_aspect_ratio = Fraction(sar)
        if interlaced:
            context.flags |= 0x40000 | 0x20000000
        for name, value in (colors or {}).items():
            setattr(context, name, value)
        track = None
        if sound:
            track = container.add_stream(SOUNDS[suffix], rate=48000)
            track.codec_context.layout = 'stereo'
            track.codec_context.bit_rate = 128_000
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, 'rgb24')
            if colors:
                frame = frame.reformat(
                    format=pix_fmt,
                    dst_colorspace=colors['colorspace'],
                    dst_color_range=colors['color_range'],
                )
            stamp = number if stamps is None else stamps[number]
            frame.pts = stamp + round(delay * rate)
            frame.time_base = Fraction(1, rate)
            container.mux(film.encode(frame))
        container.mux(film.encode())
        if track is not None:
            last = len(pictures) if stamps is None else stamps[-1] + 1
            for packet in hum(track, last / rate):
                container.mux(packet)
    return path


def hum(track, seconds):
    """Yield packets of a tone that rises."""
    size = track.codec_context.frame_size or 1152
    count = int(seconds * 48000) // size
    for number in range(count):
        t = (np.arange(size) + number * size) / 48000
        wave = (8000 * np.sin(2 * np.pi * (300 + 200 * t) * t)).astype('i2')
        block = av.AudioFrame.from_ndarray(
            np.repeat(wave, 2)[None], 's16', 'stereo'
        )
        block.sample_rate, block.pts = 48000, number * size
        block.time_base = Fraction(1, 48000)
        yield from track.encode(block)
    yield from track.encode()


def show(path):
    """Read a film packet by packet, with times from its own start."""
    times, pictures, sounds = [], [], []
    with av.open(str(path)) as container:
        film = container.streams.video[0]
        for packet in container.demux():
            if packet.stream.type == 'audio':
                if packet.size:
                    at = packet.pts * packet.time_base
                    sounds.append((at, bytes(packet)))
                continue
            for frame in packet.decode():
                times.append(frame.pts * frame.time_base)
                pictures.append(frame.to_ndarray(format='rgb24'))
        assert film.codec_context is not None
    return Shown(times, pictures, sounds)


def bicubic():
    return SuperResolver(interpolation='bicubic')


def enhance(source, target, resolver=None, **options):
    given = dict(text='none', scale=1, reference='none', segment=5)
    part = {
        key: options.pop(key) for key in ('part', 'parts') if key in options
    }
    return enhance_recording(
        resolver or bicubic(),
        source,
        target,
        RecordingOptions(**{**given, **options}),
        device='cpu',
        **part,
    )
