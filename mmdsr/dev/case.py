"""A file to be mutated, and what reads it."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

#: Part of the name of every mutated file: messages have to name it.
NAME = 'input'


class Case(NamedTuple):
    """One way to a mutated file.

    Args:
        name: Its name.
        data: The whole file.
        mutators: Of :mod:`mmdsr.dev.mutate`, one of them is drawn.
        read: Called with its path and ``out``.
    """

    name: str
    data: bytes
    mutators: tuple[Callable[..., bytes], ...]
    read: Callable[[Path, Path], None]


def picture(seed: int = 0, height: int = 64, width: int = 72) -> np.ndarray:
    """Return noise as an image.

    Args:
        seed: Of the noise.
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
