"""Recordings of every kind, made on the spot, and what is in a film."""

from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np

from mmdsr import SuperResolver
from mmdsr.dev.recordings import write_recording
from mmdsr.dev.views import drive, texture
from mmdsr.recording.export import enhance_recording
from mmdsr.recording.options import RecordingOptions

record = write_recording


class Shown(NamedTuple):
    """What is in a film."""

    times: list[Fraction]
    pictures: list[np.ndarray]
    sounds: list[tuple[Fraction, bytes]]


def frames(count=12, size=(64, 48), growth=1.03):
    return drive(texture(), count, growth, size=size)


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
