"""A file to be mutated, and its reader."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

#: Part of the name of every mutated file: messages have to name it.
NAME = 'input'


class Case(NamedTuple):
    """A valid file, its mutators and its reader.

    Args:
        name: Its name.
        data: Content of the file.
        mutators: Mutators of :mod:`mmdsr.dev.mutate`, of which one is drawn.
        read: Function that is called with the path and ``out``.
    """

    name: str
    data: bytes
    mutators: tuple[Callable[..., bytes], ...]
    read: Callable[[Path, Path], None]


def picture(seed: int = 0, height: int = 64, width: int = 72) -> np.ndarray:
    """Return noise as an image.

    Args:
        seed: Seed of the noise.
        height: Rows.
        width: Columns.

    Returns:
        (height, width, 3) uint8.
    """
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def encode(image: Image.Image, kind: str = 'PNG', **options: object) -> bytes:
    """Encode an image.

    Args:
        image: The image.
        kind: Pillow's name of the format.
        **options: See ``Image.save``.

    Returns:
        The file.
    """
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()
