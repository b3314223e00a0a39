"""What a depth map was made from, recorded in the map.

Images, files of depth and checkpoints can change under their path, and all of
them can be moved together; so their content decides, not the path.
"""

import hashlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mmdsr.depth.base import DepthProvider
from mmdsr.io.checksums import digest
from mmdsr.io.folder_job import FolderJob
from mmdsr.io.frames import shown
from mmdsr.io.images import encode_depth, save_png
from mmdsr.io.listing import some

_KEYWORD = 'mmdsr-depth-origin'


def origin_of(image: Path, provider: DepthProvider) -> str:
    """Identify what the map of an image is made from.

    Args:
        image: The image.
        provider: Source of the depth.

    Returns:
        SHA-256 over the content of the image and of the source.

    Raises:
        OSError: If the image cannot be read.
        ValueError: If the source has nothing for it.
    """
    content = f'{digest(image)} {provider.identity(image)}'
    return hashlib.sha256(content.encode()).hexdigest()


def encode_map(depth: np.ndarray, origin: str) -> bytes:
    """Return a depth map as the content of a PNG file.

    Args:
        depth: ``(h, w)`` meters; NaN = unknown.
        origin: Result of :func:`origin_of`, to be recorded in the file.

    Returns:
        A 16-bit PNG file in millimeters, 0 = unknown.
    """
    texts = PngInfo()
    texts.add_text(_KEYWORD, origin)
    buffer = BytesIO()
    save_png(buffer, encode_depth(depth), texts)
    return buffer.getvalue()


def refuse_stale(
    job: FolderJob,
    images: Mapping[Path, Path],
    provider: DepthProvider,
    overwrite: bool,
) -> None:
    """Refuse a folder with maps that would now be made from something else.

    Args:
        job: The folder of the maps.
        images: Path of each map below the folder, and its image.
        provider: Source of the depth.
        overwrite: Delete such maps instead.

    Raises:
        FileExistsError: If there are such maps.
    """
    stale = [
        name
        for name, image in images.items()
        if (job.root / name).is_file()
        and _recorded(job.root / name) != _current(image, provider)
    ]
    if overwrite:
        for name in stale:
            (job.root / name).unlink()
    elif stale:
        raise FileExistsError(
            f'{len(stale)} maps in {job.root} were made from other images or '
            f'another source of depth: {some([shown(n) for n in stale])}. '
            'Delete these maps to have them made again, or allow overwriting '
            '(--overwrite).'
        )


def _recorded(path: Path) -> str | None:
    """Return the origin in a map, None without one."""
    try:
        with Image.open(path) as image:
            return image.info.get(_KEYWORD)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _current(image: Path, provider: DepthProvider) -> str:
    """Return the origin that a map would have now, '' if there is none."""
    try:
        return origin_of(image, provider)
    except (OSError, ValueError):
        return ''
