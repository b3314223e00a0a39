"""Find videos and name their runs."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmdsr.io.frames import clean_name
from mmdsr.io.listing import natural_order

_ENDINGS = (
    '264 265 3g2 3gp asf avc avi divx dv f4v flv gxf h264 h265 hevc ivf m1v '
    'm2p m2t m2ts m2v m4v mkv mov mp4 mpe mpeg mpg mts mxf nut ogm ogv qt rm '
    'rmvb ts vc1 vob webm wmv wtv'
)
#: A file with another suffix is a video if it starts with such bytes.
SUFFIXES = {f'.{ending}' for ending in _ENDINGS.split()}

_HEAD = 1024
_STARTS = (
    b'\x1a\x45\xdf\xa3',  # Matroska, WebM
    b'\x30\x26\xb2\x75\x8e\x66\xcf\x11',  # ASF, WMV
    b'FLV\x01',
    b'.RMF',
    b'\x06\x0e\x2b\x34\x02\x05\x01\x01',  # MXF
    b'\x00\x00\x01\xba',  # MPEG program stream
    b'\x00\x00\x01\xb3',  # MPEG video
    b'\x00\x00\x00\x01\x67',  # raw H.264
    b'\x00\x00\x00\x01\x40\x01',  # raw H.265
)
_STILLS_AND_SOUND = (b'heic', b'heix', b'mif1', b'avif', b'M4A ', b'M4B ')

_LONGEST = 60
"""Maximum length of a name; file systems allow 255 bytes in total."""


def av_name(path: Path | str) -> str:
    """Return a name of a file that PyAV cannot mistake for a protocol.

    Args:
        path: The file. FFmpeg would open ``12:40.mp4`` with a protocol named
            ``12``.

    Returns:
        Its absolute path.
    """
    return os.path.abspath(path)  # noqa: PTH100, may be no UTF-8


def find_videos(
    paths: Iterable[Path | str], others: list[Path] | None = None
) -> list[Path]:
    """List the given videos and those in the given folders.

    In a folder, a file is a video if its name or its first bytes are those of
    one.

    Args:
        paths: Files, and folders, which are searched recursively; links to
            folders are not followed.
        others: List to which the files in the folders that are not videos are
            appended, except hidden ones.

    Returns:
        The files in the order given, without repetition; those of a folder in
        natural order.

    Raises:
        FileNotFoundError: If a path does not exist or a folder contains no
            video.
    """
    found: dict[str, Path] = {}
    for path in map(Path, paths):
        if path.is_dir():
            files = natural_order(
                Path(folder) / name
                for folder, _, names in os.walk(path)
                for name in names
                if not name.startswith('.')
            )
            inside = []
            for file in files:
                if file.is_file() and is_video(file):
                    inside.append(file)
                elif others is not None:
                    others.append(file)
            if not inside:
                raise FileNotFoundError(
                    f'{path} contains no videos '
                    f'({", ".join(sorted(SUFFIXES))}).'
                )
        elif path.is_file():
            inside = [path]
        elif path.is_symlink():
            raise FileNotFoundError(f'{path} is a broken or circular link.')
        else:
            raise FileNotFoundError(f'There is no file or folder {path}.')
        for video in inside:
            found.setdefault(os.path.realpath(video), video)
    return list(found.values())


def is_video(path: Path) -> bool:
    """Return whether a file has the name or the start of a video."""
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with path.open('rb') as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    if head[4:8] == b'ftyp':  # MP4, MOV and similar formats
        return head[8:12] not in _STILLS_AND_SOUND
    return (
        head.startswith(_STARTS)
        or (head[:4] == b'RIFF' and head[8:12] in (b'AVI ', b'CDXA'))
        # Packets of a transport stream have 188 bytes, or 192 with a time
        # stamp.
        or any(
            head[start : start + 4 * size + 1 : size] == b'G' * 5
            for start, size in ((0, 188), (4, 192))
        )
    )


def name_videos(paths: Sequence[Path]) -> list[str]:
    """Give each video the name of its run.

    Args:
        paths: The files.

    Returns:
        The stem of each file as a valid name. For equal stems, the name of the
        folder is prepended; if that is not sufficient, a number is appended.
    """
    stems = [clean_name(path.stem)[:_LONGEST] for path in paths]
    # Some file systems do not distinguish upper and lower case.
    keys = [stem.casefold() for stem in stems]
    names: list[str] = []
    used: set[str] = set()
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
