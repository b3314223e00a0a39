"""Flow and confidence of an aligner, kept beside a data set.

::

    ROOT/SPLIT/align-NAME/STEM.npy        float16 (h, w, 3): dx, dy, confidence
    ROOT/SPLIT/align-NAME/settings.json   the aligner

dx and dy are in LR pixels. With a cache, a frozen aligner need not run at
every training step.
"""

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmdsr.datasets.refsr_dataset import RefSRDataset
from mmdsr.io.folder_job import FolderJob
from mmdsr.io.frames import read_pixels
from mmdsr.io.images import read_npy
from mmdsr.io.manifest import ALIGNMENT


def alignment_path(root: str | Path, split: str, name: str, stem: str) -> Path:
    """Return the file of a sample.

    Args:
        root: Root of the data set.
        split: ``'train'`` or ``'test'``.
        name: Name of the cache.
        stem: Sample name.

    Returns:
        Path of the file, which need not exist.
    """
    return Path(root) / split / f'{ALIGNMENT}{name}' / f'{stem}.npy'


def encode_alignment(flow: np.ndarray, confidence: np.ndarray) -> bytes:
    """Return the alignment of a sample as the content of a file.

    Args:
        flow: ``(h, w, 2)`` in LR pixels.
        confidence: ``(h, w, 1)`` in [0, 1].

    Returns:
        An ``.npy`` file.
    """
    buffer = io.BytesIO()
    np.save(buffer, np.concatenate([flow, confidence], 2).astype(np.float16))
    return buffer.getvalue()


def read_alignment(
    root: str | Path, split: str, name: str, stem: str
) -> tuple[np.ndarray, np.ndarray]:
    """Read the alignment of a sample.

    Args:
        root: Root of the data set.
        split: ``'train'`` or ``'test'``.
        name: Name of the cache.
        stem: Sample name.

    Returns:
        Flow ``(h, w, 2)`` and confidence ``(h, w, 1)``, float32.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If the file holds something else.
    """
    path = alignment_path(root, split, name, stem)
    if not path.is_file():
        raise FileNotFoundError(
            f'There is no alignment {path}: compute it with '
            f'tools/dataset_converters/cache_alignment.py {root} --name '
            f'{name}.'
        )
    array = read_npy(path)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.float16:
        raise ValueError(
            f'{path} must contain float16 (h, w, 3), not {array.dtype} '
            f'{array.shape}: compute it again with cache_alignment.py.'
        )
    array = array.astype(np.float32)
    return array[..., :2], array[..., 2:]


class Alignments:
    """Aligns the samples of a split one by one and stores the results.

    Iterating yields, for each sample, True if it was aligned now and False if
    its file already existed and is not older than its images and depth maps. A
    note in the folder says which aligner made the files.

    Args:
        aligner: See :mod:`mmdsr.models.networks.aligners`.
        root: Root of the data set.
        split: ``'train'`` or ``'test'``.
        name: Name of the cache.
        overwrite: Replace existing files.
        load_depth: Adds ``depth_lr`` and ``depth_ref`` (h, w, 1) to a sample,
            for an aligner that takes depth.
        settings: What the results depend on besides the weights, such as the
            config of the aligner; must be serializable as JSON.

    Raises:
        OtherSettingsError: If the cache was made by another aligner.
        FileExistsError: If its files have no note that says who made them.
    """

    def __init__(
        self,
        aligner: nn.Module,
        root: str | Path,
        split: str,
        name: str,
        overwrite: bool = False,
        load_depth: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.aligner = aligner
        self.overwrite = overwrite
        self.load_depth = load_depth
        self.dataset = RefSRDataset(root, split)
        self.job = _Cache(
            alignment_path(root, split, name, '').parent,
            dict(settings or {}, weights=_weights_digest(aligner)),
            remedy='choose another name or allow overwriting (--overwrite)',
            strict=True,
        )

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.dataset)

    def __iter__(self) -> Iterator[bool]:
        """Align the samples; yield whether there was something to do."""
        if self.overwrite:
            self.job.drop()
        self.job.open()
        yield from self.job.fill(self._samples(), self._align)

    def _samples(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Yield each sample with its file, which is deleted if it is old."""
        for info in map(self.dataset.get_data_info, range(len(self))):
            name = Path(f'{info["stem"]}.npy')
            path = self.job.root / name
            if path.is_file():
                made = path.stat().st_mtime_ns
                if made < max(
                    one.stat().st_mtime_ns for one in self._of(info)
                ):
                    path.unlink()
            yield name, info

    def _of(self, info: dict[str, Any]) -> list[Path]:
        """List the files that an alignment depends on."""
        keys = ['img', 'ref']
        if self.load_depth is not None:
            keys += ['depth_lr', 'depth_ref']
        paths = (info.get(f'{key}_path') for key in keys)
        return [Path(path) for path in paths if path and Path(path).is_file()]

    def _align(self, info: dict[str, Any]) -> bytes:
        paths = (Path(info[f'{key}_path']) for key in ('img', 'ref'))
        # Pillow's arrays are read-only, which makes torch warn.
        images = [read_pixels(path).copy() for path in paths]
        depths = {}
        if self.load_depth is not None:
            info.update(zip(('img', 'ref'), images, strict=True))
            info = self.load_depth(info)
            depths = dict(
                depth=_tensor(info['depth_lr']),
                depth_ref=_tensor(info['depth_ref']),
            )
        lr, ref = (_tensor(image) / 255 for image in images)
        with torch.inference_mode():
            flow, confidence = self.aligner(lr, ref, **depths)
        return encode_alignment(_array(flow), _array(confidence))


class _Cache(FolderJob):
    """Folder of a cache, of which only the cache's own files are deleted."""

    def drop(self) -> None:
        # Delete the note last: without it, nothing would say who made the
        # remaining files.
        for path in [*self.root.glob('*.npy'), self.note]:
            path.unlink(missing_ok=True)


def _weights_digest(network: nn.Module) -> str:
    """Return the SHA-256 over name, type, shape and bytes of all weights."""
    total = hashlib.sha256()
    for key, value in sorted(network.state_dict().items()):
        total.update(f'{key} {value.dtype} {tuple(value.shape)}\n'.encode())
        # NumPy lacks some dtypes of torch, so the weights are viewed as bytes.
        flat = value.detach().cpu().contiguous().flatten()
        total.update(flat.view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array).permute(2, 0, 1)[None].float()


def _array(tensor: Tensor) -> np.ndarray:
    return tensor[0].permute(1, 2, 0).cpu().numpy()
