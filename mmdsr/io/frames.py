"""Find, check and read the frames of image sequences."""

import os
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from mmdsr.io.images import read_depth
from mmdsr.io.listing import natural_order
from mmdsr.io.pictures import read_picture

SUFFIXES = {
    '.bmp',
    '.gif',
    '.jfif',
    '.jpe',
    '.jpeg',
    '.jpg',
    '.pgm',
    '.png',
    '.ppm',
    '.tif',
    '.tiff',
    '.webp',
}
MIN_LR_SIDE = 16
"""Smallest side of a low-resolution image that the networks accept."""


@dataclass
class Frame:
    """One image file of a sequence.

    Attributes:
        path: The file.
        depth_path: Its depth map.
        note: Conversions on reading, '' if there were none.
        problem: Why it cannot be used, '' if it can.
        odd: Whether a side is not a multiple of the scale.
        size: Width and height of its sample.
        sharpness: Variance of the Laplacian of its luma.
    """

    path: Path
    depth_path: Path | None = None
    note: str = ''
    problem: str = ''
    odd: bool = False
    size: tuple | None = None
    sharpness: float = 0.0


@dataclass
class Run:
    """A sequence of frames in natural order.

    Attributes:
        name: Name, unique among the runs.
        frames: The frames.
    """

    name: str
    frames: list[Frame] = field(default_factory=list)


def find_runs(root: str | Path, exclude: Iterable[Path] = ()) -> list[Run]:
    """Collect the runs below a folder.

    A folder that contains images is a run, named after its path below
    ``root``. Either ``root`` itself is the only run, or all runs are below it.

    Args:
        root: Folder to search.
        exclude: Folders to leave out.

    Returns:
        The runs and their frames, in natural order.

    Raises:
        FileNotFoundError: If there is no such folder, or no image in it.
        ValueError: If there are images both in ``root`` and below it, or two
            runs or frames would get the same name.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f'There is no folder {root}.')
    skip = {real_path(folder) for folder in exclude}
    found = []
    for folder in walk_folders(root, skip):
        files = natural_order(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in SUFFIXES
            and not path.name.startswith('.')
            and not path.is_dir()
        )
        if not files:
            continue
        below = folder.relative_to(root).parts or (root.resolve().name,)
        run = Run(clean_name('-'.join(below)), [Frame(p) for p in files])
        _refuse_twins(run, folder)
        found.append((folder, run))
    if not found:
        raise FileNotFoundError(
            f'{root} contains no images ({", ".join(sorted(SUFFIXES))}).'
        )
    if len(found) > 1 and any(folder == root for folder, _ in found):
        raise ValueError(
            f'{root} contains images both directly and in subfolders: give a '
            'folder of frames, or one with a subfolder for each run.'
        )
    runs = natural_order((run for _, run in found), lambda run: run.name)
    for one, other in pairwise(runs):
        if one.name == other.name:
            raise ValueError(f'Two runs would be named {one.name}.')
    return runs


def walk_folders(root: Path, skip: Collection[Path] = ()) -> Iterator[Path]:
    """Yield a folder and all folders below it, each once.

    Links are followed, but not to a folder that was already visited: a link to
    a parent folder would never end, and a link to a sibling would put the same
    frames into two runs.

    Args:
        root: Folder to start with.
        skip: Resolved folders to leave out.

    Yields:
        The folders except hidden ones; real folders before links.
    """
    seen, waiting = set(skip), [root]
    while waiting:
        folder = waiting.pop()
        if folder.resolve() in seen:
            continue
        seen.add(folder.resolve())
        yield folder
        below = [
            path
            for path in folder.iterdir()
            if path.is_dir() and not path.name.startswith('.')
        ]
        links = sorted(path for path in below if path.is_symlink())
        real = sorted(set(below) - set(links), reverse=True)
        # Links are followed after all real folders.
        waiting = links[::-1] + waiting + real


def clean_name(text: str) -> str:
    """Convert a text to a valid name of a run.

    Args:
        text: Any text.

    Returns:
        A name of letters, digits, ``_``, ``-`` and ``.`` that starts with a
        letter or digit.
    """
    return re.sub(r'[^\w.-]+', '-', text).lstrip('-_.') or 'run'


def real_path(path: str | Path) -> Path:
    """Follow all links of a path.

    Args:
        path: A path, which need not exist.

    Returns:
        The real path. ``Path.resolve`` raises a RuntimeError for a circular
        link; this function leaves such a link unchanged.
    """
    return Path(os.path.realpath(path))


def shown(path: str | Path) -> str:
    """Return a path as text that any terminal or file accepts.

    Args:
        path: A path, possibly with bytes that are not UTF-8.

    Returns:
        The path with such bytes escaped.
    """
    return os.fsencode(path).decode('utf-8', 'backslashreplace')


def refuse(problems: list[str], remedy: str) -> None:
    """Raise an error if there are problems.

    Args:
        problems: One for each file.
        remedy: Advice for the user.

    Raises:
        ValueError: If there are any; the message contains the first ones.
    """
    if problems:
        more = f'; and {len(problems) - 10} more'
        raise ValueError(
            f'{len(problems)} files refused: {"; ".join(problems[:10])}'
            f'{more if len(problems) > 10 else ""}. {remedy}'
        )


def frame_name(path: Path) -> str:
    """Return the frame part of a sample's name.

    Args:
        path: The image file.

    Returns:
        Its stem without underscores, as the last underscore of a sample's name
        separates run and frame.
    """
    return re.sub(r'[^\w.-]+|_', '-', path.stem)


def read_rgb(path: Path) -> tuple[np.ndarray, str]:
    """Read a complete image, upright and as sRGB.

    See :func:`mmdsr.io.pictures.read_picture`; transparency is removed.

    Args:
        path: The file.

    Returns:
        ``(H, W, 3)`` uint8, and the conversions ('' if there were none).

    Raises:
        ValueError: If the file is not an image, is truncated, or is of a kind
            whose range is unknown.
    """
    picture = read_picture(path)
    notes = [picture.note]
    if picture.alpha is not None:
        notes.append('transparency dropped')
    notes.append(picture.left_out)
    return picture.rgb, ', '.join(filter(None, notes))


def read_pixels(path: Path) -> np.ndarray:
    """Read a complete image as :func:`read_rgb` does; errors name the file.

    Args:
        path: The file.

    Returns:
        ``(H, W, 3)`` uint8.

    Raises:
        ValueError: See :func:`read_rgb`.
    """
    try:
        return read_rgb(path)[0]
    except ValueError as error:
        raise ValueError(f'{path}: {error}.') from error


def sharpness(image: np.ndarray) -> float:
    """Return the variance of the Laplacian of an image's luma.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.

    Returns:
        Sharpness, comparable between images of one scene and size.
    """
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(gray, cv2.CV_64F).var())


def check_frame(
    frame: Frame, scale: int, crop: bool, with_sharpness: bool
) -> None:
    """Decode a frame and its depth, and store the findings in it.

    Args:
        frame: The frame.
        scale: Factor that must divide both sides.
        crop: Whether to accept other sizes, which will be cropped.
        with_sharpness: Whether to measure the sharpness.
    """
    try:
        image, frame.note = read_rgb(frame.path)
        if frame.depth_path is not None:
            _check_depth(frame.depth_path, image.shape[:2])
    except ValueError as error:
        frame.problem = str(error)
        return
    height, width = image.shape[:2]
    frame.size = width - width % scale, height - height % scale
    if min(height, width) // scale < MIN_LR_SIDE:
        frame.problem = (
            f'{width}x{height} is too small; both sides must be at least '
            f'{MIN_LR_SIDE * scale}'
        )
    elif width % scale or height % scale:
        frame.odd = True
        if crop:
            notes = [frame.note, f'cropped to a multiple of {scale}']
            frame.note = ', '.join(filter(None, notes))
        else:
            frame.problem = f'{width}x{height} is not a multiple of {scale}'
    if with_sharpness and not frame.problem:
        frame.sharpness = sharpness(image)


def attach_depth(runs: list[Run], root: Path, depth_root: Path) -> int:
    """Find the depth maps of frames in a parallel folder.

    Args:
        runs: The runs, in whose frames ``depth_path`` is set.
        root: Folder of the frames.
        depth_root: Folder of the depth maps, ``.png`` or ``.npy``.

    Returns:
        Number of frames without a map.

    Raises:
        FileNotFoundError: If there is no such folder, or no map for any frame.
    """
    if not depth_root.is_dir():
        raise FileNotFoundError(f'There is no folder {depth_root}.')
    missing = total = 0
    for frame in (frame for run in runs for frame in run.frames):
        base = depth_root / frame.path.relative_to(root)
        found = [
            path
            for path in (base.with_suffix('.png'), base.with_suffix('.npy'))
            if path.is_file()
        ]
        frame.depth_path = found[0] if found else None
        missing += not found
        total += 1
    if missing == total:
        raise FileNotFoundError(
            f'{depth_root} has no depth map for any frame: maps must have the '
            'same folders and names as the frames, with the suffix .png or '
            '.npy.'
        )
    return missing


def _check_depth(path: Path, size: tuple[int, ...]) -> None:
    depth = read_depth(path)
    if depth.shape != size:
        raise ValueError(
            f'its depth map {path} is {depth.shape[1]}x{depth.shape[0]}, not '
            f'{size[1]}x{size[0]}'
        )


def _refuse_twins(run: Run, folder: Path) -> None:
    names: dict[str, Path] = {}
    for frame in run.frames:
        name = frame_name(frame.path)
        if name in names:
            raise ValueError(
                f'{folder}: {names[name].name} and {frame.path.name} would '
                f'both become sample {name}: rename one.'
            )
        names[name] = frame.path
