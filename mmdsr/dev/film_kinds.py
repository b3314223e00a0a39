"""Kinds of recordings to check, and a recording of each."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmdsr.dev.recordings import turn, write_recording

#: Matrix, range, primaries and curve: those of PAL, and of HD in full range.
_PAL = dict(colorspace=5, color_range=1, color_primaries=5, color_trc=6)
_HD = dict(colorspace=1, color_range=2, color_primaries=1, color_trc=1)


class Kind(NamedTuple):
    """A kind of recording.

    Attributes:
        name: Name of the kind.
        suffix: Suffix of the recording.
        made: Suffix of the film.
        options: Options of :func:`mmdsr.dev.recordings.write_recording`.
        uneven: Whether the times of the frames are uneven.
        turned: Degrees by which players must turn it to the left.
        resumed: Whether its run is also killed and resumed.
    """

    name: str
    suffix: str
    made: str
    options: dict[str, Any]
    uneven: bool = False
    turned: int = 0
    resumed: bool = False


KINDS = (
    Kind(
        'mp4',
        '.mp4',
        '.mp4',
        dict(sound=True, sar='16/15', colors=_PAL),
        resumed=True,
    ),
    Kind('mp4-late', '.mp4', '.mp4', dict(sound=True, delay=0.4)),
    Kind(
        'mp4-turned',
        '.mp4',
        '.mp4',
        dict(sound=True, sar='4/3'),
        uneven=True,
        turned=90,
    ),
    Kind(
        'mpg-interlaced',
        '.mpg',
        '.mp4',
        dict(sound=True, sar='16/15', interlaced=True),
        resumed=True,
    ),
    Kind(
        'ts-interlaced',
        '.ts',
        '.mkv',
        dict(sound=True, sar='16/15', interlaced=True),
    ),
    Kind(
        'mkv-uneven',
        '.mkv',
        '.mkv',
        dict(sound=True, sar='8/9'),
        uneven=True,
        resumed=True,
    ),
    Kind('mkv-uneven-to-mp4', '.mkv', '.mp4', dict(sound=True), uneven=True),
    Kind(
        'mov-full-range',
        '.mov',
        '.mp4',
        dict(sound=True, colors=_HD, rate=Fraction(30000, 1001)),
    ),
    Kind('avi', '.avi', '.mkv', dict(sound=True, rate=15)),
    # Neither format supports the sound of Windows Media.
    Kind('wmv', '.wmv', '.mp4', dict(rate=30)),
)


def assemble(kind: Kind, pictures: Sequence[np.ndarray], folder: Path) -> Path:
    """Make a recording of a kind.

    Args:
        kind: Its kind.
        pictures: (H, W, 3) uint8 RGB each.
        folder: Target folder.

    Returns:
        The file.
    """
    stamps = None
    if kind.uneven:
        rng = np.random.default_rng(0)
        gaps = rng.choice([1, 1, 1, 2, 3, 7], len(pictures))
        stamps = [int(stamp) for stamp in np.cumsum(gaps) - gaps[0]]
    path = folder / f'{kind.name}{kind.suffix}'
    write_recording(path, pictures, stamps=stamps, **kind.options)
    if kind.turned:
        plain = path.rename(path.with_stem(f'{kind.name}-plain'))
        turn(plain, path, kind.turned)
    return path
