"""Super-resolved copies of a folder of images, as PNG files."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from mmdsr.converters.frames import (
    SUFFIXES,
    natural_key,
    read_rgb,
    real_path,
    shown,
    walk_folders,
)
from mmdsr.converters.images import write_png
from mmdsr.inference.export_target import ExportTarget


@dataclass
class ExportReport:
    """What became of the images.

    Attributes:
        total (int): Images of this process.
        written (int): Files written now.
        kept (int): Files that were there already.
        failed (dict[str, str]): Image to the reason why it has no file.
    """

    total: int = 0
    written: int = 0
    kept: int = 0
    failed: dict[str, str] = field(default_factory=dict)


@dataclass
class _Job:
    """An image, where its result goes, and its reference."""

    source: Path
    target: Path
    name: str
    reference: Path | None = None


def export_folder(
    resolver,
    source,
    target,
    refs=None,
    device=None,
    overwrite=False,
    rank=0,
    world_size=1,
    progress: Callable | None = None,
):
    """Super-resolve a folder into a folder that mirrors it.

    ``SOURCE/sub/name.jpg`` becomes ``TARGET/sub/name.png``, to the last bit
    what ``resolver`` gives for it. Each file is whole or absent, so an
    interrupted call, or one that could not read some images, is gone on with
    by the same call: what is there, and not older than its source, is kept.
    ``TARGET/manifest.json`` says what made the files; a call with other
    settings is refused, save with ``overwrite``.

    Args:
        resolver (SuperResolver): What to enlarge the images with.
        source (str or Path): An image, or a folder of images at any depth.
        target (str or Path): Folder to be made; not in ``source``, and
            ``source`` not in it.
        refs (str or Path, optional): For a resolver with
            ``reference='file'``: folder of the references, mirrored like
            ``target``, any usual suffix. Defaults to None.
        device (str or torch.device, optional): Where to compute. Defaults
            to None, a GPU if there is one.
        overwrite (bool): Drop all PNG files that a call with other settings
            has written to ``target``. Defaults to False.
        rank (int): Which of ``world_size`` processes this is; each takes its
            share of the images. Defaults to 0.
        world_size (int): How many there are. Defaults to 1.
        progress (Callable, optional): ``progress(iterable, text, total)``
            returns the iterable, shown as progress. Defaults to None.

    Returns:
        ExportReport: What was written, and what was not and why. Images
        that cannot be read, or have no reference, do not stop the others.

    Raises:
        FileNotFoundError: If there is no image, or no folder of references.
        FileExistsError: If ``target`` holds something else, or files made
            with other settings.
        MemoryError: If images are too large; says what to set.
        ValueError: If the arguments do not fit together.
    """
    source = Path(source)
    if not 0 <= rank < world_size:
        raise ValueError(
            f'rank must be in 0..{world_size - 1}, not {rank} (of '
            f'{world_size} processes).'
        )
    device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
    _try_device(device)
    resolver.check_device(device)
    jobs = _list_jobs(source, Path(target))
    _attach_references(jobs, source, refs, resolver)
    root = source if source.is_dir() else source.parent
    settings = {
        'tool': 'super_resolve',
        'source': str(real_path(root)),
        'refs': refs and str(real_path(refs)),
        **resolver.describe(),
    }
    out = ExportTarget(target, settings)
    out.open(overwrite, first=rank == 0)
    show = progress or (lambda items, text, total: items)
    return _export(resolver, jobs[rank::world_size], device, show)


def _try_device(device):
    """Find out before anything is written."""
    try:
        torch.zeros(1, device=device).cpu()
    # torch raises AssertionError if it was built without CUDA.
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f'The device {device} cannot be used here: {_first_line(error)}'
        ) from error


def _list_jobs(source, target):
    """List what is to be done, in natural order."""
    if target.suffix.lower() in SUFFIXES:
        raise ValueError(f'{target} must be a folder, not a file name.')
    if source.is_file():
        names = [Path(source.name)]
        root = source.parent
    else:
        root = source
        names = _find_images(source, target)
    jobs, sources = [], {}
    for name in sorted(names, key=lambda name: natural_key(str(name))):
        goal = name.with_suffix('.png')
        if goal in sources:
            raise ValueError(
                f'{sources[goal]} and {name} in {root} would both become '
                f'{goal}; rename one.'
            )
        sources[goal] = name
        path = root / name
        jobs.append(_Job(path, target / goal, shown(path)))
    return jobs


def _find_images(source, target):
    if not source.is_dir():
        raise FileNotFoundError(f'There is no image or folder {source}.')
    one, other = real_path(source), real_path(target)
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise ValueError(
            f'{source} and {target} lie in one another; choose another place '
            'for the results.'
        )
    names = [
        path.relative_to(source)
        for folder in walk_folders(source)
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES
        and not path.name.startswith('.')
        and not path.is_dir()
    ]
    if not names:
        raise FileNotFoundError(
            f'{source} holds no images ({", ".join(sorted(SUFFIXES))}).'
        )
    return names


def _attach_references(jobs, source, refs, resolver):
    """Find the reference of each image in a mirrored folder."""
    wanted = resolver.references.policy == 'file'
    if wanted != (refs is not None):
        raise ValueError(
            "reference='file' and a folder of references (refs, --refs) go "
            'together only.'
        )
    if not wanted:
        return
    refs = Path(refs)
    if not refs.is_dir():
        raise FileNotFoundError(f'There is no folder {refs}.')
    root = source if source.is_dir() else source.parent
    folders = {}
    for job in jobs:
        below = job.source.relative_to(root)
        if below.parent not in folders:
            folders[below.parent] = _by_stem(refs / below.parent)
        job.reference = folders[below.parent].get(below.stem)
    if not any(job.reference for job in jobs):
        raise FileNotFoundError(
            f'{refs} has no reference for any image; they must lie like the '
            'images and have the same names, but for the suffix.'
        )


def _by_stem(folder):
    found = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.suffix.lower() in SUFFIXES and not path.name.startswith('.'):
            if path.stem in found:
                raise ValueError(
                    f'{found[path.stem]} and {path.name} could both be the '
                    f'reference of {path.stem}; remove one.'
                )
            found[path.stem] = path
    return found


def _export(resolver, jobs, device, show):
    report = ExportReport(total=len(jobs))
    waiting = []
    batch = resolver.batch_size(device)
    for job in show(jobs, 'Super-resolving', len(jobs)):
        if _is_done(job):
            report.kept += 1
            continue
        try:
            image, _ = read_rgb(job.source)
        except (OSError, ValueError) as error:
            report.failed[job.name] = _first_line(error)
            continue
        if waiting and waiting[0][1].shape != image.shape:
            _flush(resolver, waiting, device, report)
        waiting.append((job, image))
        if len(waiting) == batch:
            _flush(resolver, waiting, device, report)
    if waiting:
        _flush(resolver, waiting, device, report)
    return report


def _is_done(job):
    try:
        made = job.target.stat().st_mtime
        return made >= job.source.stat().st_mtime
    except OSError:
        return False


def _flush(resolver, waiting, device, report):
    """Compute and write what waits; then nothing waits."""
    try:
        results = _enlarge(resolver, waiting, device)
    except (OSError, ValueError) as error:
        if len(waiting) > 1:
            # One reference is at fault: find out which.
            for one in waiting:
                _flush(resolver, [one], device, report)
        else:
            report.failed[waiting[0][0].name] = _first_line(error)
        waiting.clear()
        return
    for (job, _), result in zip(waiting, results, strict=True):
        write_png(job.target, result)
        report.written += 1
    waiting.clear()


def _enlarge(resolver, waiting, device):
    images = [
        torch.from_numpy(image.copy()).permute(2, 0, 1).flip(0).to(device)
        for _, image in waiting
    ]
    samples = []
    for job, _ in waiting:
        if resolver.references.policy == 'file' and job.reference is None:
            raise ValueError('there is no reference of that name')
        samples.append(
            {'img_path': str(job.source), 'ref_path': job.reference}
        )
    return [
        result.flip(0).permute(1, 2, 0).byte().cpu().numpy()
        for result in resolver.pixels(images, samples)
    ]


def _first_line(error):
    return str(error).split('\n')[0] or type(error).__name__
