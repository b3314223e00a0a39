"""Depth maps for a data set that lacks them."""

import json
import shutil
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from mmdsr.depth.base import DepthProvider
from mmdsr.depth.frames import Progress, Report, estimate
from mmdsr.io.checksums import write_checksums
from mmdsr.io.files import write_bytes
from mmdsr.io.frames import SUFFIXES, shown
from mmdsr.io.images import downscale_depth, encode_depth, write_png
from mmdsr.io.layout import DEPTH_KEYS
from mmdsr.io.manifest import SPLITS, read_manifest, write_manifest

_PARTIAL, _NOTE = '.depth.partial', 'settings.json'
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
    all depth of the layout is. Nothing of the data set changes before all
    images have been tried; then the folders are put in their places, and
    the provider is noted in the manifest. An interrupted call continues where
    it was. An image that cannot be used gets no map, which the layout
    allows.

    Args:
        root: Root of a data set in the layout of
            :mod:`mmdsr.io.layout`.
        provider: Source of the depth.
        scale: Reduction factor of a data set without a manifest; 4 by default.
        overwrite: Replace the depth that is there.
        progress: ``progress(iterable, text, total)`` returns the iterable,
            shown as progress.

    Returns:
        What was written, and what was not and why.

    Raises:
        FileExistsError: If there is depth already, or an interrupted run
            with other settings.
        FileNotFoundError: If there is no such data set.
        ValueError: If the data set does not fit, or no image got a map.
    """
    root = Path(root)
    manifest = read_manifest(root)
    scale = _scale(root, manifest, scale)
    settings = json.loads(
        json.dumps({'provider': provider.describe(), 'scale': scale})
    )
    jobs = _jobs(root, manifest)
    partial_dir = root / _PARTIAL
    moving = _is_moving(partial_dir, settings)
    if not moving:
        _check_there(root, overwrite)
        _open(partial_dir, settings, overwrite)
    show = progress or (lambda items, text, total: items)
    report = Report(total=len(jobs))
    known: dict[tuple[int, int, int], tuple[np.ndarray, str]] = {}
    for name, path in show(jobs.items(), 'Estimating', len(jobs)):
        places = [partial_dir / name] + ([root / name] if moving else [])
        if any(place.is_file() for place in places):
            report.kept += 1
            continue
        if moving:  # tried before, without success
            report.failed[shown(path)] = 'no depth; see the first run'
            continue
        encoded = _encode(provider, path, scale, report, known)
        if encoded is not None:
            write_png(partial_dir / name, encoded)
            report.written += 1
    if not report.written and not report.kept:
        shutil.rmtree(partial_dir)
        first = next(iter(report.failed.items()))
        raise ValueError(
            f'None of the {report.total} images got a depth map: '
            f'{first[0]}: {first[1]}'
        )
    _publish(root, partial_dir, settings, manifest)
    return report


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
        # By stem, for the reference of one sample often is the next sample.
        for stem in stems:
            for key, source in _SOURCES.items():
                path = files[key].get(stem)
                if path is None and manifest is not None:
                    path = root / split / source / f'{stem}.png'
                if path is not None:
                    jobs[Path(split, key, f'{stem}.png')] = path
    if not jobs:
        raise FileNotFoundError(
            f'{root} is no data set: there is no image in train/hr, '
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
        f'{split}/{key}'
        for split in SPLITS
        for key in DEPTH_KEYS
        if (root / split / key).exists()
    ]
    if there and not overwrite:
        raise FileExistsError(
            f'{root} has depth already ({", ".join(there)}); ask for '
            'overwriting to replace it.'
        )


def _read_note(partial_dir: Path) -> dict[str, Any] | None:
    try:
        return json.loads((partial_dir / _NOTE).read_text())
    except (OSError, ValueError):
        return None


def _is_moving(partial_dir: Path, settings: dict[str, Any]) -> bool:
    """Whether a run with these settings ended while moving folders."""
    return _read_note(partial_dir) == {'settings': settings, 'moving': True}


def _open(
    partial_dir: Path, settings: dict[str, Any], overwrite: bool
) -> None:
    note = {'settings': settings, 'moving': False}
    found = _read_note(partial_dir)
    if found == note:
        return
    if found is not None and not overwrite:
        raise FileExistsError(
            f'{partial_dir} is left over from an interrupted run with other '
            'settings. Repeat that run, delete the folder, or ask for '
            'overwriting.'
        )
    if partial_dir.exists():
        shutil.rmtree(partial_dir)
    partial_dir.mkdir()
    write_bytes(partial_dir / _NOTE, json.dumps(note).encode())


def _encode(
    provider: DepthProvider,
    path: Path,
    scale: int,
    report: Report,
    known: dict[tuple[int, int, int], tuple[np.ndarray, str]],
) -> np.ndarray | None:
    """Reduced, encoded depth of an image; None after a failure."""
    key = None
    if provider.name != 'file' and path.is_file():
        data = path.read_bytes()
        key = len(data), zlib.crc32(data), zlib.adler32(data)
    if key in known:
        encoded, problem = known[key]
        if problem:
            report.fallback[shown(path)] = problem
        return encoded
    found = estimate(provider, path, shown(path), report)
    if found is None:
        return None
    # A cell at the edge may be partly outside, as LoadDepth has it.
    spare = [(0, -side % scale) for side in found.depth.shape]
    grown = np.pad(found.depth, spare, constant_values=np.nan)
    encoded = encode_depth(downscale_depth(grown, scale))
    if key is not None:
        known[key] = encoded, found.problem
        if len(known) > 64:
            known.pop(next(iter(known)))
    return encoded


def _publish(
    root: Path,
    partial_dir: Path,
    settings: dict[str, Any],
    manifest: dict[str, Any] | None,
) -> None:
    """Put the folders in their places, the manifest last."""
    note = {'settings': settings, 'moving': True}
    write_bytes(partial_dir / _NOTE, json.dumps(note).encode())
    for split in SPLITS:
        for key in DEPTH_KEYS:
            new, place = partial_dir / split / key, root / split / key
            if not new.is_dir():
                continue
            old = partial_dir / f'{split}-{key}.old'
            if place.exists():
                place.replace(old)
            new.replace(place)
    if manifest is not None:
        generator = dict(manifest['generator'], depth=settings['provider'])
        sums = manifest.get('checksums')
        if sums is not None:
            sums = write_checksums(root)
        write_manifest(
            root, manifest['splits'], manifest['scale'], generator, sums
        )
    shutil.rmtree(partial_dir)
