"""Reduce, encode, read and write images and depth maps."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from threading import RLock
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, ImageFile, ImageOps
from PIL.PngImagePlugin import PngInfo

from mmdsr.io.files import whole_file

DEPTH_UNIT = 0.001
"""Meters per step of the 16-bit depth images."""

UINT16_MODES = ('I;16', 'I;16B', 'I;16L', 'I;16N')
"""Pillow's names for 16-bit gray."""

MOST_PIXELS = 89_478_485
"""Pixels of an image of 256 MB, Pillow's own limit; more may be an attack."""

_UINT16_MAX = 65535
_RAISED = RLock()


def downscale(image: np.ndarray, scale: int = 4) -> np.ndarray:
    """Reduce an image with Pillow's antialiased bicubic filter.

    Args:
        image: ``(H, W, 3)`` uint8, both sides divisible by ``scale``.
        scale: Reduction factor.

    Returns:
        ``(H / scale, W / scale, 3)`` uint8.

    Raises:
        ValueError: If the type, shape or size is not as said.
    """
    check_image('image', image, scale)
    height, width = image.shape[:2]
    small = Image.fromarray(image).resize(
        (width // scale, height // scale), Image.Resampling.BICUBIC
    )
    return np.array(small)


def soften(image: np.ndarray, scale: int = 4) -> np.ndarray:
    """Reduce an image and enlarge it again, both bicubically.

    Args:
        image: See :func:`downscale`.
        scale: Factor.

    Returns:
        ``(H, W, 3)`` uint8 with the resolution of the reduced image.

    Raises:
        ValueError: See :func:`downscale`.
    """
    height, width = image.shape[:2]
    small = Image.fromarray(downscale(image, scale))
    return np.array(small.resize((width, height), Image.Resampling.BICUBIC))


def downscale_depth(depth: np.ndarray, scale: int = 4) -> np.ndarray:
    """Reduce a depth map by the mean of the inverse depth of each cell.

    The networks use inverse depth. It is linear in the image of a plane, so
    its mean is the value at the center of the cell; the mean of the depth
    itself would be biased to the far side.

    Args:
        depth: ``(H, W)`` meters. NaN or values <= 0 are unknown, infinity is
            infinitely far.
        scale: Side of a cell; it divides H and W.

    Returns:
        ``(H / scale, W / scale)`` float32 meters, from the known pixels of
        each cell; NaN where there is none.

    Raises:
        ValueError: If the shape is not as said.
    """
    depth = np.asarray(depth, dtype=np.float32)
    _check_sides('depth', depth, scale, ndim=2)
    height, width = depth.shape
    cells = depth.reshape(height // scale, scale, width // scale, scale)
    known = cells > 0  # False for NaN, too
    with np.errstate(divide='ignore', invalid='ignore'):
        inverse = np.where(known, 1 / cells, 0).sum(axis=(1, 3))
        # 0 / 0 = NaN where nothing is known, n / 0 = inf for the far end
        return (known.sum(axis=(1, 3)) / inverse).astype(np.float32)


def encode_depth(depth: np.ndarray) -> np.ndarray:
    """Convert meters to the 16-bit millimeters of the depth images.

    Args:
        depth: Meters, any shape. NaN or values <= 0 are unknown.

    Returns:
        uint16 millimeters in [1, 65535], 0 = unknown. Depths are clipped to
        65.535 m.
    """
    depth = np.asarray(depth, dtype=np.float64)
    known = depth > 0
    steps = np.clip(np.where(known, depth, 0) / DEPTH_UNIT, 1, _UINT16_MAX)
    return np.where(known, np.rint(steps), 0).astype(np.uint16)


def decode_depth(encoded: np.ndarray, unit: float = DEPTH_UNIT) -> np.ndarray:
    """Convert a 16-bit depth image to meters.

    Args:
        encoded: Unsigned integers, any shape, 0 = unknown.
        unit: Meters per step.

    Returns:
        float32 meters, NaN where unknown.
    """
    encoded = np.asarray(encoded)
    meters = encoded.astype(np.float32) * np.float32(unit)
    return np.where(encoded > 0, meters, np.float32(np.nan))


def _check_sides(name: str, image: np.ndarray, scale: int, ndim: int) -> None:
    if image.ndim != ndim or (ndim == 3 and image.shape[2] != 3):
        wanted = '(H, W, 3)' if ndim == 3 else '(H, W)'
        raise ValueError(f'{name} must be {wanted}, not {image.shape}.')
    height, width = image.shape[:2]
    if not height or not width or height % scale or width % scale:
        raise ValueError(
            f'{name} is {width}x{height}; both sides must be multiples of '
            f'the scale {scale}.'
        )


def read_depth(path: str | Path, unit: float = DEPTH_UNIT) -> np.ndarray:
    """Read a depth map.

    Args:
        path: A one-channel 16-bit image, 0 = unknown, or an ``.npy`` file of
            floats in meters.
        unit: Meters per step of a 16-bit image.

    Returns:
        ``(h, w)`` float32 meters, NaN where unknown.

    Raises:
        ValueError: If the file holds something else.
    """
    path = Path(path)
    if path.suffix.lower() == '.npy':
        depth = read_npy(path)
        if depth.ndim == 3 and depth.shape[2] == 1:
            depth = depth[..., 0]
        if depth.ndim != 2 or depth.dtype.kind != 'f':
            raise ValueError(
                f'{path} must contain (h, w) floats in meters, not '
                f'{depth.shape} {depth.dtype}.'
            )
        depth = depth.astype(np.float32)
        return np.where(depth > 0, depth, np.float32(np.nan))
    try:
        image = open_image(path)
    except ValueError as error:
        raise ValueError(
            f'{path} cannot be read as an image: {error}.'
        ) from error
    if image.mode not in UINT16_MODES:
        raise ValueError(
            f'{path} must be a one-channel 16-bit image, not of mode '
            f'{image.mode!r}; an 8-bit image shows depth but does not contain '
            'its values.'
        )
    return decode_depth(np.asarray(image), unit)


def read_npy(path: Path) -> np.ndarray:
    """Read an array without unpickling anything.

    Args:
        path: The ``.npy`` file.

    Returns:
        The array.

    Raises:
        ValueError: If the file does not contain a complete array.
    """
    try:
        values = np.load(path, allow_pickle=False)
    # Broken headers, archives and sizes raise errors of many kinds.
    except Exception as error:
        raise ValueError(
            f'{path} cannot be read as .npy: {short_reason(error)}.'
        ) from error
    if not isinstance(values, np.ndarray):
        raise ValueError(f'{path} cannot be read as .npy: it is an archive.')
    return values


class Decoded(NamedTuple):
    """An image and facts about its file.

    Args:
        image: The first picture, upright, in any mode.
        pictures: Pages or frames of the file; 1 if they were not counted.
        wide: Whether the file has 16 bits per channel and the image only 8,
            as Pillow has for all but gray without transparency.
    """

    image: Image.Image
    pictures: int
    wide: bool


def open_image(path: str | Path, most: int = MOST_PIXELS) -> Image.Image:
    """Decode a complete image file and turn it upright.

    Args:
        path: The file.
        most: Largest number of pixels. Defaults to :data:`MOST_PIXELS`.

    Returns:
        The first picture, in any mode.

    Raises:
        ValueError: See :func:`decode_image`.
    """
    return decode_image(path, count=False, most=most).image


def decode_image(
    path: str | Path, count: bool = True, most: int = MOST_PIXELS
) -> Decoded:
    """Decode a complete image file and describe it.

    Args:
        path: The file.
        count: Whether to count its pictures. Defaults to True.
        most: Largest number of pixels. Defaults to :data:`MOST_PIXELS`.

    Returns:
        The first picture and facts about the file.

    Raises:
        ValueError: If it is not a regular file, not an image, truncated, or
            has more than ``most`` pixels. The message has the reason, but
            not the path.
    """
    path = Path(path)
    try:
        if not path.is_file():
            # Opening a pipe would wait, and a folder is not an image.
            raise ValueError(
                'not a regular file' if path.exists() else 'no such file'
            )
        if not path.stat().st_size:
            raise ValueError('empty file')
        with _limit(most), Image.open(path) as image:
            # Count first: some formats seek through all pictures.
            number = getattr(image, 'n_frames', 1) if count else 1
            image.seek(0)
            wide = _is_wide(image)
            image.load()
            # Turning may return a copy, which lacks the format.
            kind, image = image.format, ImageOps.exif_transpose(image)
            image.format = kind
            return Decoded(image, number, wide)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ValueError(
            f'more than {most / 1e6:.0f} million pixels: cut it into parts'
        ) from None
    except ValueError as error:
        raise ValueError(short_reason(error)) from error
    # Pillow's decoders raise many kinds of errors on broken files.
    except Exception as error:
        raise ValueError(f'unreadable: {short_reason(error)}') from error


@contextmanager
def _limit(most: int) -> Iterator[None]:
    """Let Pillow refuse files of more pixels, which may be an attack."""
    with warnings.catch_warnings():
        warnings.simplefilter('error', Image.DecompressionBombWarning)
        if most <= MOST_PIXELS:
            yield
            return
        # The limit is that of the process: it is only ever raised, and by one
        # thread at a time.
        with _RAISED:
            before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, most
            try:
                yield
            finally:
                Image.MAX_IMAGE_PIXELS = before


def _is_wide(image: ImageFile.ImageFile) -> bool:
    """Return whether decoding an opened file drops half of its 16 bits."""
    if image.mode in (*UINT16_MODES, 'I', 'F') or not image.tile:
        return False
    # How the pixels lie in the file, such as 'RGB;16B'; of a portable pixmap
    # the largest value.
    args = image.tile[0][3]
    args = args if isinstance(args, tuple) else (args,)
    if image.format == 'PPM':
        return isinstance(args[-1], int) and args[-1] > 255
    return any(isinstance(one, str) and ';16' in one for one in args)


def short_reason(error: Exception) -> str:
    """Return a short reason why a file could not be read.

    Args:
        error: Error raised while reading it.

    Returns:
        One line without the path and the final period.
    """
    text = getattr(error, 'strerror', None) or str(error).split('\n')[0]
    # Pillow's text for a file that is not an image repeats the whole path.
    if text.startswith('cannot identify image file'):
        return 'not an image, or damaged'
    return text.rstrip('.') or type(error).__name__


def check_image(name: str, image: np.ndarray, scale: int) -> None:
    """Raise an error unless this is an RGB image of suitable size.

    Args:
        name: Name in messages.
        image: Expected to be ``(H, W, 3)`` uint8.
        scale: Must divide H and W.

    Raises:
        ValueError: If it is something else.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = getattr(image, 'dtype', type(image).__name__)
        raise ValueError(f'{name} must be a uint8 array, not {kind}.')
    _check_sides(name, image, scale, ndim=3)


def write_png(path: Path, image: np.ndarray) -> None:
    """Write an image so that the file is either complete or absent.

    Args:
        path: Target; its folder is created if missing.
        image: ``(H, W, 3)`` uint8 RGB, ``(H, W, 4)`` uint8 RGB and alpha, or
            ``(H, W)`` uint16.

    Raises:
        OSError: With the name of the target, if it cannot be written.
    """
    with whole_file(path) as temporary:
        save_png(temporary, image)


def encode_png(image: np.ndarray) -> bytes:
    """Return an image as the content of a PNG file.

    Args:
        image: See :func:`write_png`.

    Returns:
        Content of the file of :func:`write_png`.
    """
    buffer = BytesIO()
    save_png(buffer, image)
    return buffer.getvalue()


def save_png(
    path: Path | BinaryIO, image: np.ndarray, texts: PngInfo | None = None
) -> None:
    """Write an image directly into a file, without a second copy.

    Args:
        path: The file, which may be temporary.
        image: See :func:`write_png`.
        texts: Text chunks to put in front of the pixels. Defaults to None.

    Raises:
        OSError: If it cannot be written.
    """
    # Level 1 takes two thirds of the time of level 3; files are 3 % larger.
    Image.fromarray(image).save(
        path, format='PNG', compress_level=1, pnginfo=texts
    )
