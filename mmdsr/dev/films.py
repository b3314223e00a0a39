"""Content of a film, read packet by packet without code of the product."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np


@dataclass
class Contents:
    """Content of a film.

    Attributes:
        size: Width and height as they are stored.
        sar: Width of a pixel divided by its height.
        turned: Degrees to the left that make the pictures upright.
        colors: Matrix, range, primaries and curve in FFmpeg's codes.
        tick: Seconds of a tick of the pictures.
        interlaced: Pictures that are flagged as interlaced.
        times: Seconds of each picture, in the order in which they are shown.
        coded: Bytes of each packet of pictures.
        sounds: Seconds and bytes of each packet of sound.
        tags: Metadata of the file.
    """

    size: tuple[int, int] = (0, 0)
    sar: Fraction = Fraction(1)
    turned: int = 0
    colors: tuple[int, ...] = ()
    tick: Fraction = Fraction(1)
    interlaced: int = 0
    times: list[Fraction] = field(default_factory=list)
    coded: list[bytes] = field(default_factory=list)
    sounds: list[tuple[Fraction, bytes]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)


def read_film(
    path: Path, contents: Contents | None = None
) -> Iterator[np.ndarray]:
    """Yield the pictures of a film.

    Args:
        path: The file.
        contents: Filled with everything else.

    Yields:
        (H, W, 3) uint8 RGB, as they are stored.
    """
    import av

    found = contents or Contents()
    with av.open(str(path)) as container:
        film = container.streams.video[0]
        found.tags = dict(container.metadata)
        found.sar = film.sample_aspect_ratio or Fraction(1)
        found.tick = cast(Fraction, film.time_base)
        for packet in container.demux():
            if packet.stream.type == 'audio' and packet.pts is not None:
                time = packet.pts * packet.time_base
                found.sounds.append((time, bytes(packet)))
            if packet.stream.index != film.index:
                continue
            if packet.size:
                found.coded.append(bytes(packet))
            # PyAV's type hints do not distinguish kinds of streams.
            for frame in cast(list[Any], packet.decode()):
                found.size = frame.width, frame.height
                found.turned = round(frame.rotation) % 360
                found.interlaced += bool(frame.interlaced_frame)
                found.colors = (
                    int(frame.colorspace),
                    int(frame.color_range),
                    int(frame.color_primaries),
                    int(frame.color_trc),
                )
                found.times.append(frame.pts * frame.time_base)
                yield frame.to_ndarray(format='rgb24')


def contents_of(path: Path) -> Contents:
    """Read everything except the pictures."""
    contents = Contents()
    for _ in read_film(path, contents):
        pass
    return contents
