"""A copy of a data set whose images need no decoding.

Decoding PNG takes most of the time of loading. The copy has the same layout
and contains the same pixels as uncompressed BMP, which OpenCV reads ten times
as fast; :class:`mmdsr.RefSRDataset` and every tool can use it in any number of
processes. Depth and flow, which are small, are copied unchanged, and so are
the camera poses and the attribution.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from mmdsr.datasets.refsr_dataset import RefSRDataset
from mmdsr.io.folder_job import FolderJob
from mmdsr.io.images import open_image, short_reason
from mmdsr.io.layout import FLOW_KEY
from mmdsr.io.manifest import SPLITS, check_splits, read_manifest
from mmdsr.io.staging import Staging

SUFFIX = '.bmp'
_IMAGES = {'img_path': 'lr', 'gt_path': 'hr', 'ref_path': 'ref'}
_MAPS = {
    'depth_lr_path': 'depth_lr',
    'depth_ref_path': 'depth_ref',
    'flow_path': FLOW_KEY,
}
_TABLES = ('poses.csv', 'ATTRIBUTION.csv')


def _samples(
    root: Path,
) -> tuple[dict[str, Any] | None, dict[str, list[dict[str, Any]]]]:
    """List the samples of each split that has some."""
    manifest = read_manifest(root)
    samples = {}
    for split in SPLITS:
        if manifest is None:
            wanted = (root / split).is_dir()
        else:
            wanted = bool(manifest['splits'][split])
        if wanted:
            dataset = RefSRDataset(root, split)
            samples[split] = [
                dataset.get_data_info(index) for index in range(len(dataset))
            ]
    if not samples:
        raise FileNotFoundError(
            f'{root} is not a data set: it has no folder '
            f'{" or ".join(SPLITS)}. See docs/data.md for the layout.'
        )
    return manifest, samples


def _files(
    root: Path, samples: dict[str, list[dict[str, Any]]]
) -> dict[Path, Path]:
    """Map each file of the copy, below its root, to its source."""
    files = {
        Path(name): root / name for name in _TABLES if (root / name).is_file()
    }
    for split, infos in samples.items():
        for info in infos:
            for field, folder in {**_IMAGES, **_MAPS}.items():
                if info[field] is None:
                    continue
                source = Path(info[field])
                suffix = SUFFIX if field in _IMAGES else source.suffix
                name = Path(split, folder, info['stem'] + suffix)
                files[name] = source
    return files


def _uncompressed(path: Path) -> bytes:
    """Return a BMP file of an image as the training pipeline sees it.

    Args:
        path: An image.

    Returns:
        The content of the file.

    Raises:
        ValueError: If the image is damaged.
    """
    try:
        # For a truncated file, OpenCV returns the upper part without an error.
        open_image(path)
    except ValueError as error:
        raise ValueError(f'{path}: {short_reason(error)}.') from error
    data = np.frombuffer(path.read_bytes(), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f'{path}: OpenCV cannot read it.')
    return cv2.imencode(SUFFIX, image)[1].tobytes()


def _size(path: str | Path) -> tuple[int, int]:
    """Return width and height from the header of an image, 0 without one."""
    try:
        with Image.open(path) as image:
            return image.size
    # The image is reported as damaged when it is converted.
    except (OSError, ValueError, SyntaxError):
        return 0, 0


def _check_space(files: dict[Path, Path], folder: Path) -> None:
    """Raise an error if the disk is too small for the copy."""
    wanted = 0
    for name, source in files.items():
        if name.suffix == SUFFIX and not (folder / name).is_file():
            width, height = _size(source)
            # Rows are padded to multiples of four bytes, files to whole
            # blocks.
            wanted += height * (3 * width + 3) + 4096
    free = shutil.disk_usage(folder).free
    if wanted > free:
        raise OSError(
            f'The copy needs {wanted / 1e9:.1f} GB, {folder} has '
            f'{free / 1e9:.1f} GB left.'
        )


def pack(
    data_root: str | Path,
    out: str | Path,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Copy a data set so that its images need no decoding.

    An interrupted call leaves a hidden folder beside ``out``; the same call
    continues from it.

    Args:
        data_root: A data set in the layout of
            :mod:`mmdsr.io.layout`, with any suffixes.
        out: Root of the copy.
        overwrite: Replace a data set at ``out``.
        progress: Called with the number of finished files and of all files.

    Returns:
        ``out``.

    Raises:
        FileNotFoundError: If there is no data set or a file is missing.
        FileExistsError: If ``out`` exists and may not be replaced.
        ValueError: If an image is damaged, one of ``out`` and the data set is
            inside the other, or a run is in two splits.
        OSError: If the disk is too small.
    """
    root, out = Path(data_root).resolve(), Path(out).resolve()
    if out.is_relative_to(root):
        raise ValueError(f'{out} must be beside the data set {root}.')
    manifest, samples = _samples(root)
    files = _files(root, samples)
    splits = {
        split: [info['stem'] for info in infos]
        for split, infos in samples.items()
    }
    # Not only when everything is copied.
    check_splits(splits)
    generator = dict(
        name='pack_refsr', source=(manifest or {}).get('generator', {})
    )
    # Files from before and after a change of the source must not be mixed.
    newest = max(source.stat().st_mtime_ns for source in files.values())
    settings = dict(generator, root=str(root), newest=newest, splits=splits)
    staging = Staging(out, settings, overwrite, resumable=True, sources=[root])
    _check_space(files, staging.tmp_dir)
    try:
        _copy(files, staging.job, progress)
    except ValueError:
        # After the image is fixed, the source counts as changed, see above.
        staging.discard()
        raise
    scale = manifest['scale'] if manifest else _scale(samples)
    return staging.publish(splits, files.__contains__, scale, generator)


def _copy(
    files: dict[Path, Path],
    job: FolderJob,
    progress: Callable[[int, int], None] | None,
) -> None:
    done = job.fill(
        ((name, (name, source)) for name, source in files.items()), _content
    )
    for count, _ in enumerate(done, 1):
        if progress is not None:
            progress(count, len(files))


def _content(item: tuple[Path, Path]) -> bytes:
    """Return the content of a file of the copy, given its name and source."""
    name, source = item
    if name.suffix == SUFFIX:
        return _uncompressed(source)
    return source.read_bytes()


def _scale(samples: dict[str, list[dict[str, Any]]]) -> int:
    """Return the ratio of the sizes of hr and lr in the first sample."""
    first = next(iter(samples.values()))[0]
    return _size(first['gt_path'])[0] // _size(first['img_path'])[0]
