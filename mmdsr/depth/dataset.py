"""Depth maps for a data set that lacks them."""

import json
import zlib
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from mmdsr.depth.base import DepthProvider
from mmdsr.depth.frames import Progress, Report, estimate
from mmdsr.depth.origin import encode_map, refuse_stale
from mmdsr.io.checksums import list_files, read_checksums, write_checksums
from mmdsr.io.files import write_bytes
from mmdsr.io.folder_job import FolderJob
from mmdsr.io.frames import SUFFIXES, shown
from mmdsr.io.images import downscale_depth
from mmdsr.io.layout import DEPTH_KEYS
from mmdsr.io.manifest import SPLITS, read_manifest, write_manifest

_PARTIAL, _MOVING = '.depth.partial', 'moving'
_FOLDERS = [Path(split, key) for split in SPLITS for key in DEPTH_KEYS]
_SOURCES = {'depth_lr': 'hr', 'depth_ref': 'ref'}


def dataset_depth(
    root: str | Path,
    provider: DepthProvider,
    scale: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Add ``depth_lr`` and ``depth_ref`` to a data set.

    Depth is estimated at full size, from ``hr`` and ``ref``, and reduced as
    all depth of the layout is. The data set does not change before all images
    have been processed; then the folders are moved to their places, and the
    provider is recorded in the manifest. A repeated call resumes after an
    interruption. An image that cannot be used gets no map, which the layout
    allows; no map of an earlier provider is left.

    Args:
        root: Root of a data set in the layout of
            :mod:`mmdsr.io.layout`.
        provider: Source of the depth.
        scale: Reduction factor of a data set without a manifest; 4 by default.
        overwrite: Replace existing depth.
        progress: ``progress(iterable, text, total)`` wraps an iterable to show
            its progress.

    Returns:
        Summary of what was written and what was left out.

    Raises:
        FileExistsError: If depth already exists, or there is an interrupted
            run with other settings or of other images.
        FileNotFoundError: If there is no such data set.
        ValueError: If the data set or its list of checksums does not fit, or
            no image got a map.
    """
    root = Path(root)
    manifest = read_manifest(root)
    scale = _scale(root, manifest, scale)
    settings = {
        'provider': provider.describe(),
        'scale': scale,
    }
    job = FolderJob(
        root / _PARTIAL,
        settings,
        remedy=(
            'it is left over from an interrupted run; repeat that run, '
            'delete the folder, or allow overwriting (--overwrite)'
        ),
    )
    images = _jobs(root, manifest)
    report = Report(total=len(images))
    if job.is_own() and (job.root / _MOVING).is_file():
        _take_up(root, job, images, report)
    else:
        _check_there(root, overwrite)
        # Not only when every map is made.
        _listed(root, manifest)
        job.open(overwrite)
        refuse_stale(job, images, provider, overwrite)
        show = progress or (lambda items, text, total: items)
        encoder = _Encoder(provider, scale, report)
        items = show(images.items(), 'Estimating', len(images))
        job.run(items, encoder.encode, report)
    try:
        report.refuse_empty('images')
    except ValueError:
        job.drop()
        raise
    _publish(root, job, manifest)
    return report


def _take_up(
    root: Path, job: FolderJob, images: dict[Path, Path], report: Report
) -> None:
    """Count the maps of a run that ended while moving folders."""
    for name in job.missing(images):
        if not (root / name).is_file():
            report.failed[shown(images[name])] = 'no depth; see the first run'
    report.kept = report.total - len(report.failed)


def _scale(
    root: Path, manifest: dict[str, Any] | None, scale: int | None
) -> int:
    if manifest is None:
        return 4 if scale is None else scale
    if scale not in (None, manifest['scale']):
        raise ValueError(
            f'{root} has the scale {manifest["scale"]}, not {scale}.'
        )
    return manifest['scale']


def _jobs(root: Path, manifest: dict[str, Any] | None) -> dict[Path, Path]:
    """Map of every target below the root to the image it is made from."""
    jobs = {}
    for split in SPLITS:
        files = {
            key: _images(root / split / source)
            for key, source in _SOURCES.items()
        }
        if manifest is None:
            stems = sorted(set().union(*files.values()))
        else:
            stems = manifest['splits'][split]
        # By stem, because the reference of a sample is often the next sample.
        for stem in stems:
            for key, source in _SOURCES.items():
                path = files[key].get(stem)
                if path is None and manifest is not None:
                    path = root / split / source / f'{stem}.png'
                if path is not None:
                    jobs[Path(split, key, f'{stem}.png')] = path
    if not jobs:
        raise FileNotFoundError(
            f'{root} is not a data set: there is no image in train/hr, '
            'train/ref, test/hr or test/ref.'
        )
    return jobs


def _images(folder: Path) -> dict[str, Path]:
    """Image files of a folder by stem; none if there is no folder."""
    if not folder.is_dir():
        return {}
    return {
        path.stem: path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SUFFIXES and not path.name.startswith('.')
    }


def _check_there(root: Path, overwrite: bool) -> None:
    there = [
        folder.as_posix() for folder in _FOLDERS if (root / folder).exists()
    ]
    if there and not overwrite:
        raise FileExistsError(
            f'{root} already has depth ({", ".join(there)}): allow '
            'overwriting (--overwrite) to replace it.'
        )


def _listed(
    root: Path, manifest: dict[str, Any] | None
) -> dict[str, str] | None:
    """Return the checksums of all files but the maps; None without a list."""
    if manifest is None or manifest.get('checksums') is None:
        return None
    return {
        name: value
        for name, value in read_checksums(root).items()
        if Path(name).parent not in _FOLDERS
    }


class _Encoder:
    """Estimate, reduce and encode the depth of images one by one.

    Args:
        provider: Source of the depth.
        scale: Reduction factor.
        report: Report for failures and fallbacks.
    """

    def __init__(
        self, provider: DepthProvider, scale: int, report: Report
    ) -> None:
        self.provider = provider
        self.scale = scale
        self.report = report
        self._known: dict[tuple[int, int, int], tuple[bytes, str]] = {}

    def encode(self, path: Path) -> bytes | None:
        """Return the map of an image as a PNG file; None after a failure."""
        key = None
        if self.provider.name != 'file' and path.is_file():
            data = path.read_bytes()
            key = len(data), zlib.crc32(data), zlib.adler32(data)
            if key in self._known:
                encoded, problem = self._known[key]
                if problem:
                    self.report.fallback[shown(path)] = problem
                return encoded
        found = estimate(self.provider, path, shown(path), self.report)
        if found is None:
            return None
        (depth, *_, problem), origin = found
        # A cell at the edge may be partly outside, as in LoadDepth.
        spare = [(0, -side % self.scale) for side in depth.shape]
        grown = np.pad(depth, spare, constant_values=np.nan)
        encoded = encode_map(downscale_depth(grown, self.scale), origin)
        if key is not None:
            self._known[key] = encoded, problem
            if len(self._known) > 64:
                self._known.pop(next(iter(self._known)))
        return encoded


def _publish(
    root: Path, job: FolderJob, manifest: dict[str, Any] | None
) -> None:
    """Move the folders to their places, the manifest last."""
    partial_dir, folders = job.root, _FOLDERS
    note = partial_dir / _MOVING
    if not note.is_file():
        # After an interruption, what is in its place may be new.
        lost = [
            folder.as_posix()
            for folder in folders
            if not (partial_dir / folder).exists()
        ]
        plan = dict(lost=lost, listed=_listed(root, manifest))
        write_bytes(note, json.dumps(plan).encode())
    plan = json.loads(note.read_bytes())
    for folder in folders:
        new, place = partial_dir / folder, root / folder
        if not new.is_dir() and folder.as_posix() not in plan['lost']:
            continue
        old = partial_dir / f'{"-".join(folder.parts)}.old'
        if place.exists():
            place.replace(old)
        if new.is_dir():
            new.replace(place)
    if manifest is not None:
        generator = dict(manifest['generator'], depth=job.settings['provider'])
        sums = None
        if plan['listed'] is not None:
            maps = [list_files(root, folder) for folder in folders]
            sums = write_checksums(root, plan['listed'], chain(*maps))
        write_manifest(
            root, manifest['splits'], manifest['scale'], generator, sums
        )
    job.drop()
