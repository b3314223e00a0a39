"""Convert photographs to a data set with known flow."""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

import cv2
import numpy as np

from mmdsr.converters.photo_files import (
    ATTRIBUTION,
    Photo,
    attribute,
    find_photos,
    load_photo,
    read_attribution,
    share_out,
    split_photos,
    survey,
)
from mmdsr.converters.photo_recipe import SCALE, Recipe, make_pair
from mmdsr.converters.summary import Summary
from mmdsr.io.checksums import digest
from mmdsr.io.frames import shown
from mmdsr.io.layout import (
    SPLITS,
    RefSRWriter,
    is_written,
    write_sample,
)
from mmdsr.sim.data.degrade import Degradation
from mmdsr.workers import start_worker

_Item = TypeVar('_Item')
_Result = TypeVar('_Result')

VERSION = 1
"""Version of the recipe; it changes when the same seed gives other pairs."""


@dataclass
class PhotoSummary(Summary):
    """Outcome for the photographs.

    Attributes:
        crops: Number of crops that were examined (``'looked'``), and that were
            ``'soft'`` or ``'flat'``.
        photos: Number of photographs used per split.
    """

    crops: Counter = field(default_factory=Counter)
    photos: Counter = field(default_factory=Counter)


def photos_to_refsr(
    root: Path | str,
    out: Path | str,
    recipe: Recipe | None = None,
    pairs: tuple[int, int] = (900, 60),
    test_share: float = 0.1,
    attribution: Path | str | None = None,
    exclude: Collection[str] = (),
    any_license: bool = False,
    workers: int = 1,
    overwrite: bool = False,
    progress: Callable[..., Any] | None = None,
) -> PhotoSummary:
    """Write a data set of pairs made from photographs.

    The files depend neither on the number of workers nor on interruptions.
    After an interruption, the same call continues where it stopped.

    Args:
        root: Folder of the photographs.
        out: Root of the new data set.
        recipe: How pairs are made.
        pairs: Numbers of pairs for training and test; 0 leaves a split out.
        test_share: Share of the scenes in the test split.
        attribution: See :func:`mmdsr.converters.photo_files.read_attribution`;
            default ``ATTRIBUTION.csv`` in ``root``, if it exists.
        exclude: Names of excluded licenses.
        any_license: Also use photographs without a row or under licenses other
            than :data:`mmdsr.converters.photo_files.LICENSES`.
        workers: Processes.
        overwrite: Replace an existing data set.
        progress: ``progress(iterable, text, total)`` wraps an iterable to show
            its progress.

    Returns:
        Summary of what was written and what was left out.

    Raises:
        FileExistsError: If ``out`` is in the way.
        FileNotFoundError: If there are no photographs.
        ValueError: If a value is invalid, or no photograph is usable.
        RuntimeError: If a worker process was killed.
    """
    recipe = recipe or Recipe()
    show = progress or (lambda items, text, total: items)
    _check(pairs, test_share, workers)
    photos = find_photos(root, [Path(out)])
    summary = PhotoSummary(Path(out), frames=len(photos))
    if attribution is None and (Path(root) / ATTRIBUTION).exists():
        attribution = Path(root) / ATTRIBUTION
    if attribution is None and not any_license:
        raise ValueError(
            f'{root} has no {ATTRIBUTION}, so the licenses of its photographs '
            'are unknown: give a file with --attribution, or use all '
            'photographs with --any-license.'
        )
    rows = {} if attribution is None else read_attribution(attribution)
    usable = attribute(photos, root, rows, exclude, any_license)
    if not usable:
        raise ValueError(
            f'None of the {len(photos)} photographs may be used: '
            f'{shown(photos[0].path.name)}: {photos[0].problem}.'
        )
    settings = {
        'tool': 'photos_to_refsr',
        'version': VERSION,
        'recipe': asdict(recipe),
        'realistic': asdict(Degradation())
        if recipe.degradation == 'realistic'
        else None,
        'pairs': pairs,
        'test_share': test_share,
        'photos': {'count': len(usable), 'sha256': _fingerprint(usable)},
    }
    sources = [photo.path for photo in photos]
    if attribution is not None:
        sources.append(Path(attribution))
    with (
        RefSRWriter(
            out,
            SCALE,
            settings,
            overwrite,
            resumable=True,
            checksums=True,
            sources=sources,
        ) as writer,
        _Pool(workers) as pool,
    ):
        look = partial(
            survey,
            size=recipe.size,
            halve_above=recipe.halve_above,
            gate=recipe.gate,
        )
        seen = show(
            pool.run(look, usable), 'Looking for sharp crops', len(usable)
        )
        found = {photo.name: photo for photo in seen}
        usable = [found[photo.name] for photo in usable]
        for photo in usable:
            summary.crops.update(
                looked=photo.looked, soft=photo.soft, flat=photo.flat
            )
        try:
            jobs, stems = _plan(usable, recipe, pairs, test_share, writer)
        except ValueError:
            writer.discard()
            raise
        written = pool.run(partial(_write_photo, recipe), jobs)
        for _ in show(written, 'Writing photographs', len(jobs)):
            pass
        for split, stem in stems:
            writer.register(split, stem)
            summary.samples[split] += 1
        summary.photos.update(job.split for job in jobs)
        writer.add_extra(ATTRIBUTION, _table(_used(jobs, recipe)))
    refused = [photo for photo in photos if photo.name not in found]
    for photo in refused + usable:
        if photo.problem:
            summary.drop(photo.problem, photo.path)
    return summary


@dataclass
class _Job:
    """Pairs to make from one photograph."""

    split: str
    folder: Path
    photo: Photo
    count: int
    donor: Photo


def _check(pairs: Sequence[int], test_share: float, workers: int) -> None:
    if len(pairs) != 2 or min(pairs) < 0 or not sum(pairs):
        raise ValueError(
            'pairs must be two numbers, for training and testing, at most '
            f'one of them 0, not {" ".join(map(str, pairs))}.'
        )
    if not 0 < test_share < 1:
        raise ValueError(
            f'the test share must be between 0 and 1, not {test_share}.'
        )
    if workers < 1:
        raise ValueError(f'workers must be at least 1, not {workers}.')


def _fingerprint(photos: Iterable[Photo]) -> str:
    """Return a digest of the contents and names of all photographs."""
    total = hashlib.sha256()
    for photo in photos:
        total.update(
            f'{photo.name} {photo.scene} {digest(photo.path)}\n'.encode()
        )
    return total.hexdigest()


def _plan(
    photos: Sequence[Photo],
    recipe: Recipe,
    pairs: Sequence[int],
    test_share: float,
    writer: RefSRWriter,
) -> tuple[list[_Job], list[tuple[str, str]]]:
    """Assign pairs to the photographs."""
    usable = [photo for photo in photos if not photo.problem]
    if not usable:
        raise ValueError(
            'None of the photographs can be used: '
            f'{shown(photos[0].path.name)}: {photos[0].problem}.'
        )
    if not all(pairs):
        test_share = float(pairs[0] == 0)
    splits = split_photos(usable, test_share, recipe.seed)
    jobs, stems = [], []
    for split, total in zip(SPLITS, pairs, strict=True):
        members = splits[split]
        for photo, count in zip(
            members, share_out(members, total) if members else (), strict=True
        ):
            if not count:
                continue
            # The object in front is from another scene, if there is one.
            others = [p for p in members if p.scene != photo.scene] or members
            rng = np.random.default_rng(_key(recipe, photo.name, 1))
            donor = others[rng.integers(len(others))]
            jobs.append(
                _Job(split, writer.split_dir(split), photo, count, donor)
            )
            stems += [(split, _stem(photo, k)) for k in range(count)]
    return jobs, stems


def _stem(photo: Photo, number: int) -> str:
    return f'{photo.name}_{number:04d}'


def _key(recipe: Recipe, name: str, *more: int) -> list[int]:
    """Return the seed of one photograph, independent of the others."""
    return [recipe.seed, crc32(name.encode()), *more]


def _write_photo(recipe: Recipe, job: _Job) -> _Job:
    """Write the missing pairs of one photograph."""

    @lru_cache
    def load(path: Path) -> tuple[np.ndarray, np.ndarray, int]:
        return load_photo(path, recipe.halve_above)

    for number in range(job.count):
        stem = _stem(job.photo, number)
        if is_written(job.folder, stem):
            continue
        rng = np.random.default_rng(_key(recipe, job.photo.name, 0, number))
        pair = make_pair(
            load(job.photo.path),
            job.photo.origins,
            lambda: (load(job.donor.path)[1], job.donor.origins),
            rng,
            recipe,
        )
        write_sample(job.folder, stem, scale=SCALE, **pair)
    return job


def _used(
    jobs: Sequence[_Job], recipe: Recipe
) -> list[tuple[Photo, str, int]]:
    """Return the photographs in the set with their split and their pairs.

    One without pairs of its own may still be the object in front of another.
    """
    used = {job.photo.name: (job.photo, job.split, job.count) for job in jobs}
    for job in jobs if recipe.spread.occluded else ():
        used.setdefault(job.donor.name, (job.donor, job.split, 0))
    return list(used.values())


def _table(used: Sequence[tuple[Photo, str, int]]) -> bytes:
    """Return the attribution file of the photographs used."""
    columns = list(
        dict.fromkeys(key for photo, *_ in used for key in photo.row)
    )
    columns += [key for key in ('split', 'pairs') if key not in columns]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, '', lineterminator='\n')
    writer.writeheader()
    for photo, split, pairs in used:
        writer.writerow({**photo.row, 'split': split, 'pairs': pairs})
    return text.getvalue().encode()


class _Pool:
    """Map functions over items, in this process or in several."""

    def __init__(self, workers: int) -> None:
        self._pool = None
        if workers > 1:
            self._pool = ProcessPoolExecutor(
                workers, get_context('spawn'), _start
            )

    def run(
        self, function: Callable[[_Item], _Result], items: Iterable[_Item]
    ) -> Iterator[_Result]:
        """Yield the results, in any order."""
        if self._pool is None:
            yield from map(function, items)
            return
        pending = [self._pool.submit(function, item) for item in items]
        try:
            for future in as_completed(pending):
                yield future.result()
        except BrokenProcessPool as error:
            raise RuntimeError(
                'a worker process was killed (too little memory?); repeat '
                'the command to resume, with fewer workers'
            ) from error

    def __enter__(self) -> '_Pool':
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _start() -> None:
    start_worker()
    # Parallelism is across processes.
    cv2.setNumThreads(1)
