"""Flow and confidence of an aligner, kept beside a data set.

::

    ROOT/SPLIT/align-NAME/STEM.npy   float16 (h, w, 3): dx, dy, confidence

dx and dy in LR pixels. An aligner that is not trained along need not run at
every step.
"""

import io
from pathlib import Path

import numpy as np

from mmdsr.converters.images import read_npy, write_bytes


def alignment_path(root, split, name, stem):
    """Return the file of a sample.

    Args:
        root (str or Path): Root of the data set.
        split (str): ``'train'`` or ``'test'``.
        name (str): Of the cache.
        stem (str): Sample name.

    Returns:
        Path: The file, which need not exist.
    """
    return Path(root) / split / f'align-{name}' / f'{stem}.npy'


def write_alignment(root, split, name, stem, flow, confidence):
    """Write the alignment of a sample.

    Args:
        root (str or Path): Root of the data set.
        split (str): ``'train'`` or ``'test'``.
        name (str): Of the cache.
        stem (str): Sample name.
        flow (np.ndarray): ``(h, w, 2)`` in LR pixels.
        confidence (np.ndarray): ``(h, w, 1)`` in [0, 1].
    """
    buffer = io.BytesIO()
    np.save(buffer, np.concatenate([flow, confidence], 2).astype(np.float16))
    path = alignment_path(root, split, name, stem)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, buffer.getvalue())


def read_alignment(root, split, name, stem):
    """Read the alignment of a sample.

    Args:
        root (str or Path): Root of the data set.
        split (str): ``'train'`` or ``'test'``.
        name (str): Of the cache.
        stem (str): Sample name.

    Returns:
        tuple[np.ndarray, np.ndarray]: Flow ``(h, w, 2)`` and confidence
        ``(h, w, 1)``, float32.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If the file holds something else.
    """
    path = alignment_path(root, split, name, stem)
    if not path.is_file():
        raise FileNotFoundError(
            f'There is no alignment {path}. Make it with '
            f'tools/dataset_converters/cache_alignment.py {root} '
            f'--name {name}.'
        )
    array = read_npy(path)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.float16:
        raise ValueError(
            f'{path} must hold float16 (h, w, 3), not {array.dtype} '
            f'{array.shape}. Make it anew with cache_alignment.py.'
        )
    array = array.astype(np.float32)
    return array[..., :2], array[..., 2:]
