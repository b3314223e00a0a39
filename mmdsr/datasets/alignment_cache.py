"""Flow and confidence of an aligner, kept beside a data set.

::

    ROOT/SPLIT/align-NAME/STEM.npy   float16 (h, w, 3): dx, dy, confidence

dx and dy in LR pixels. An aligner that is not trained along need not run at
every step.
"""

import io
from pathlib import Path

import numpy as np
import torch

from mmdsr.datasets.refsr_dataset import RefSRDataset
from mmdsr.io.files import write_bytes
from mmdsr.io.images import open_image, read_npy


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


class Alignments:
    """Aligns the samples of a split one by one and keeps what is found.

    Iterating gives for each sample whether it was aligned (True) or was
    there already (False).

    Args:
        aligner (nn.Module): See :mod:`mmdsr.models.networks.aligners`.
        root (str or Path): Root of the data set.
        split (str): ``'train'`` or ``'test'``.
        name (str): Of the cache.
        overwrite (bool): Make existing files anew.
        load_depth (Callable, optional): Adds ``depth_lr`` and ``depth_ref``
            (h, w, 1) to a sample, for an aligner that takes depth. Defaults
            to None.
    """

    def __init__(
        self, aligner, root, split, name, overwrite=False, load_depth=None
    ):
        self.aligner = aligner
        self.root, self.split, self.name = root, split, name
        self.overwrite = overwrite
        self.load_depth = load_depth
        self.dataset = RefSRDataset(root, split)

    def __len__(self):
        """Number of samples."""
        return len(self.dataset)

    def __iter__(self):
        """Align; yields whether there was something to do."""
        for index in range(len(self)):
            info = self.dataset.get_data_info(index)
            place = self.root, self.split, self.name, info['stem']
            if not self.overwrite and alignment_path(*place).is_file():
                yield False
                continue
            images = [_load(info[f'{key}_path']) for key in ('img', 'ref')]
            depths = ()
            if self.load_depth is not None:
                info.update(zip(('img', 'ref'), images, strict=True))
                info = self.load_depth(info)
                depths = (None, _tensor(info['depth_lr']))
                depths += (_tensor(info['depth_ref']),)
            lr, ref = (_tensor(image) / 255 for image in images)
            with torch.inference_mode():
                flow, confidence = self.aligner(lr, ref, *depths)
            write_alignment(*place, _array(flow), _array(confidence))
            yield True


def _load(path):
    try:
        return np.array(open_image(path).convert('RGB'))
    except ValueError as error:
        raise ValueError(f'{path} is {error}.') from error


def _tensor(array):
    return torch.from_numpy(array).permute(2, 0, 1)[None].float()


def _array(tensor):
    return tensor[0].permute(1, 2, 0).cpu().numpy()
