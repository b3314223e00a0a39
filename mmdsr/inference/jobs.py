"""What an export is to do: images, their results and their references."""

from dataclasses import dataclass
from pathlib import Path

from mmdsr.io.frames import (
    SUFFIXES,
    natural_key,
    real_path,
    shown,
    walk_folders,
)
from mmdsr.io.pictures import is_image_name


@dataclass
class Job:
    """An image, where its result goes, and its reference.

    Attributes:
        source (Path): The image.
        target (Path): Its result.
        key (str): The result, seen from its folder, with ``/``.
        name (str): What to call the image in messages.
        reference (Path or None): File of its reference, if it was found in a
            folder of references.
    """

    source: Path
    target: Path
    key: str
    name: str
    reference: Path | None = None


def list_jobs(source, target):
    """List what is to be done and what cannot be, in natural order.

    Args:
        source (Path): An image or a folder of images at any depth.
        target (Path): Folder of the results.

    Returns:
        tuple[list[Job], list[Path]]: The images, and those of kinds that are
        not read.

    Raises:
        FileNotFoundError: If there is no image.
        ValueError: If two images would become one file, or the folders lie
            in one another.
    """
    if target.suffix.lower() in SUFFIXES:
        raise ValueError(f'{target} must be a folder, not a file name.')
    if source.is_file():
        names, unknown = [Path(source.name)], []
        root = source.parent
    else:
        root = source
        names, unknown = _find_images(source, target)
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
        jobs.append(Job(path, target / goal, goal.as_posix(), shown(path)))
    return jobs, unknown


def _find_images(source, target):
    if not source.is_dir():
        raise FileNotFoundError(f'There is no image or folder {source}.')
    one, other = real_path(source), real_path(target)
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise ValueError(
            f'{source} and {target} lie in one another; choose another place '
            'for the results.'
        )
    names, unknown = [], []
    for folder in walk_folders(source):
        for path in folder.iterdir():
            if path.name.startswith('.') or path.is_dir():
                continue
            if path.suffix.lower() in SUFFIXES:
                names.append(path.relative_to(source))
            elif is_image_name(path):
                unknown.append(path)
    unknown.sort(key=lambda path: natural_key(str(path)))
    if not names:
        others = f' {shown(unknown[0])} is of another kind.' if unknown else ''
        raise FileNotFoundError(
            f'{source} holds no images ({", ".join(sorted(SUFFIXES))}).'
            f'{others}'
        )
    return names, unknown


def attach_references(jobs, source, refs, resolver):
    """Find the reference of each image in a mirrored folder.

    Args:
        jobs (list[Job]): The images; some get a reference.
        source (Path): Image or folder that they come from.
        refs (str or Path or None): Folder of the references.
        resolver (SuperResolver): It knows whether they are wanted.

    Raises:
        FileNotFoundError: If there is no folder, or no reference in it.
        ValueError: If references are given and not wanted or the other way
            round, or two files could be the reference of one image.
    """
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
