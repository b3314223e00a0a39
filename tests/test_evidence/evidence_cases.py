"""Records and results for the tests of evidence."""

import numpy as np

from mmdsr.evidence.record import (
    Frame,
    NamedFile,
    Output,
    Record,
    Reference,
    Source,
)
from mmdsr.io.images import write_png


def make_record(kind='image', name='a.png', **changes):
    """Make a record in which every kind of field is used."""
    reference = Reference('b.png', 'b' * 64, 'the neighboring frame')
    none = Reference(None, None, 'a cut')
    fields = dict(
        created='2026-01-31T12:00:00Z',
        source=Source('a "quoted" näme.jpg', 'a' * 64, 'CMYK to RGB'),
        weights=NamedFile('x-12345678.safetensors', 'c' * 64),
        versions={'torch': '2.9.1', 'mmdsr': '0.1.0'},
        settings={'tile': None, 'scale': 4, 'precision': 'fp32'},
        mark='enhanced',
        output=Output(name, kind, 32, 24, 'd' * 64, 'e' * 64),
        frames=(
            Frame(0, None, reference, 0.31, 0.625, 32),
            Frame(1, 0.04, none, None, 0.0, None),
        ),
    )
    return Record(**{**fields, **changes})


def scene(height=48, width=64, seed=0, shift=0):
    """Make RGB pixels in which one place does not look like another."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 4 + 4, width // 4 + 4, 3))
    fine = coarse.repeat(4, 0).repeat(4, 1)[:height, shift : shift + width]
    return fine.astype(np.uint8)


def write_frames(folder, count=3):
    """Write frames of which each shows the one before, moved."""
    for number in range(count):
        write_png(folder / f'f{number}.png', scene(shift=number))
    return folder
