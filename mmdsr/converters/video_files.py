"""Finding videos and naming their runs."""

import os
from pathlib import Path

from mmdsr.converters.frames import clean_name, natural_key

SUFFIXES = {
    '.avi',
    '.divx',
    '.m2v',
    '.m4v',
    '.mkv',
    '.mov',
    '.mp4',
    '.mpeg',
    '.mpg',
    '.mts',
    '.ts',
    '.vob',
    '.webm',
    '.wmv',
}

_LONGEST = 60
"""Characters of a name; file systems allow 255 bytes for all of it."""


def find_videos(paths):
    """List the videos that are named or lie in the named folders.

    Args:
        paths (Iterable[str or Path]): Files, and folders that are searched
            with all below them; links to folders are not followed.

    Returns:
        list[Path]: The files, each once, in the order given; those of a
        folder in natural order.

    Raises:
        FileNotFoundError: If a path does not exist or a folder holds no
            video.
    """
    found = {}
    for path in map(Path, paths):
        if path.is_dir():
            inside = [
                Path(folder) / name
                for folder, _, names in os.walk(path)
                for name in names
                if Path(name).suffix.lower() in SUFFIXES
                and not name.startswith('.')
                and (Path(folder) / name).is_file()
            ]
            if not inside:
                raise FileNotFoundError(
                    f'{path} holds no videos ({", ".join(sorted(SUFFIXES))}).'
                )
            inside.sort(key=lambda video: natural_key(str(video)))
        elif path.is_file():
            inside = [path]
        elif path.is_symlink():
            raise FileNotFoundError(
                f'{path} is a link that leads nowhere or in a circle.'
            )
        else:
            raise FileNotFoundError(f'There is no file or folder {path}.')
        for video in inside:
            found.setdefault(os.path.realpath(video), video)
    return list(found.values())


def name_videos(paths):
    """Give each video the name of its run.

    Args:
        paths (Sequence[Path]): The files.

    Returns:
        list[str]: The stem, made fit for a run. Where several have the same,
        the folder stands before it; a number follows if that is not enough.
    """
    stems = [clean_name(path.stem)[:_LONGEST] for path in paths]
    # Some file systems do not tell upper from lower case.
    keys = [stem.casefold() for stem in stems]
    names, used = [], set()
    for path, stem, key in zip(paths, stems, keys, strict=True):
        if keys.count(key) > 1:
            folder = Path(os.path.realpath(path)).parent.name
            stem = clean_name(f'{folder}-{path.stem}')[:_LONGEST]
        name, number = stem, 1
        while name.casefold() in used:
            number += 1
            name = f'{stem}-{number}'
        used.add(name.casefold())
        names.append(name)
    return names
