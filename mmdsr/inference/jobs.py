"""The jobs of an export: images, their results and their references."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmdsr.evidence.sidecar import VIDEOS
from mmdsr.inference.super_resolver import SuperResolver
from mmdsr.io.frames import (
    SUFFIXES,
    real_path,
    shown,
    walk_folders,
)
from mmdsr.io.listing import natural_order
from mmdsr.io.pictures import is_image_name
from mmdsr.video.files import SUFFIXES as RECORDINGS


@dataclass
class Job:
    """An image, its result, and its reference.

    Attributes:
        source: The image.
        target: Its result.
        key: Path of the result relative to its folder, with ``/``.
        name: Name of the image in messages.
        reference: File of its reference, if one was found in a folder of
            references.
    """

    source: Path
    target: Path
    key: str
    name: str
    reference: Path | None = None


def list_jobs(source: Path, target: Path) -> tuple[list[Job], list[Path]]:
    """List the images to be enhanced, and others, in natural order.

    Args:
        source: An image or a folder of images at any depth.
        target: Folder of the results.

    Returns:
        The images, and the recordings and images of other formats.

    Raises:
        FileNotFoundError: If there is no image.
        ValueError: If two images would become one file, or one of the folders
            lies in the other.
    """
    if not source.exists():
        raise FileNotFoundError(f'There is no image or folder {source}.')
    if target.suffix.lower() in {*SUFFIXES, *VIDEOS}:
        raise ValueError(
            f'{target} looks like a file, but the results are written to a '
            f'folder: name one, such as {target.with_suffix("")}.'
        )
    if source.is_file():
        root = source.parent
        names: list[Path] = [Path(source.name)]
        unknown: list[Path] = []
    else:
        root = source
        names, unknown = _find_images(source, target)
    jobs: list[Job] = []
    sources: dict[Path, Path] = {}
    for name in natural_order(names):
        goal = name.with_suffix('.png')
        if goal in sources:
            raise ValueError(
                f'{sources[goal]} and {name} in {root} would both become '
                f'{goal}: rename one of them.'
            )
        sources[goal] = name
        path = root / name
        jobs.append(Job(path, target / goal, goal.as_posix(), shown(path)))
    return jobs, unknown


def _find_images(source: Path, target: Path) -> tuple[list[Path], list[Path]]:
    if not source.is_dir():
        raise FileNotFoundError(f'{source} is neither a file nor a folder.')
    one, other = real_path(source), real_path(target)
    if one == other:
        raise ValueError(
            f'{source} is the folder of the images: choose another folder '
            'for the results.'
        )
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise ValueError(
            f'One of {source} and {target} is inside the other: choose '
            'another folder for the results.'
        )
    names: list[Path] = []
    unknown: list[Path] = []
    for folder in walk_folders(source):
        for path in folder.iterdir():
            if path.name.startswith('.') or path.is_dir():
                continue
            if path.suffix.lower() in SUFFIXES:
                names.append(path.relative_to(source))
            elif is_image_name(path) or path.suffix.lower() in RECORDINGS:
                unknown.append(path)
    unknown = natural_order(unknown)
    if not names:
        others = ''
        if unknown:
            found = shown(unknown[0])
            others = f' The format of {found} is not supported.'
            if unknown[0].suffix.lower() in RECORDINGS:
                others = f' To enhance a recording, name it: {found}.'
        raise FileNotFoundError(
            f'{source} contains no images '
            f'({", ".join(sorted(SUFFIXES))}).{others}'
        )
    return names, unknown


def attach_references(
    jobs: Sequence[Job],
    source: Path,
    refs: Path | str | None,
    resolver: SuperResolver,
) -> None:
    """Find the reference of each image in a mirrored folder.

    Args:
        jobs: The images; some get a reference.
        source: Their image or folder.
        refs: Folder of the references, or that of a single image.
        resolver: The resolver, whose policy decides whether they are needed.

    Raises:
        FileNotFoundError: If there is no folder, or no reference in it.
        ValueError: If references are given but not needed, or needed but not
            given, or if two files could be the reference of one image.
    """
    if (resolver.references.policy == 'file') != (refs is not None):
        raise ValueError(
            "reference='file' and a folder of references (refs, --refs) must "
            'be given together.'
        )
    if refs is None:
        return
    refs = Path(refs)
    if source.is_file() and refs.is_file():
        jobs[0].reference = refs
        return
    if not refs.is_dir():
        kind = 'file or folder' if source.is_file() else 'folder'
        raise FileNotFoundError(f'There is no {kind} {refs}.')
    root = source if source.is_dir() else source.parent
    folders: dict[Path, dict[str, Path]] = {}
    for job in jobs:
        below = job.source.relative_to(root)
        if below.parent not in folders:
            folders[below.parent] = _by_stem(refs / below.parent)
        job.reference = folders[below.parent].get(below.stem)
    if not any(job.reference for job in jobs):
        raise FileNotFoundError(
            f'{refs} contains no reference for any image: references must '
            'have the same folders and names as the images, except for the '
            'suffix.'
        )


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.suffix.lower() in SUFFIXES and not path.name.startswith('.'):
            if path.stem in found:
                raise ValueError(
                    f'{found[path.stem]} and {path.name} could both be the '
                    f'reference of {path.stem}: remove one of them.'
                )
            found[path.stem] = path
    return found
