"""A file to be mutated, and what reads it."""

import io
from typing import NamedTuple

import numpy as np

#: Part of the name of every mutated file: messages have to name it.
NAME = 'input'


class Case(NamedTuple):
    """One way to a mutated file.

    Args:
        name (str): Its name.
        data (bytes): The whole file.
        mutators (tuple): Of :mod:`mmdsr.dev.mutate`, one of them is drawn.
        read (Callable): Called with its path and ``out``.
    """

    name: str
    data: bytes
    mutators: tuple
    read: object


def picture(seed=0, height=64, width=72):
    """Return noise as an image.

    Args:
        seed (int): Of the noise. Defaults to 0.
        height (int): Rows. Defaults to 64.
        width (int): Columns. Defaults to 72.

    Returns:
        ndarray: (height, width, 3) uint8.
    """
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def encode(image, kind='PNG', **options):
    """Encode an image.

    Args:
        image (PIL.Image.Image): The image.
        kind (str): Pillow's name of the format. Defaults to 'PNG'.
        **options: As of ``Image.save``.

    Returns:
        bytes: The file.
    """
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()
