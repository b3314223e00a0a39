"""Inputs of the resolver: tensors of the hosts, files, PIL images, arrays."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from mmdsr.inference.references import Sample, metainfo_of
from mmdsr.io.frames import read_rgb


class Enhanced(NamedTuple):
    """An image and the sources of its detail.

    Args:
        image: RGB, ``scale`` times as large, of the kind that was given.
        confidence: Confidence in the reference for each pixel of the image
            that was given, (H, W) float32 in [0, 1]; ``None`` without a
            reference. ``SuperResolver.confidence_kind`` gives its meaning.
        tile: Side of the tiles that it was computed in, ``None`` for the
            whole image at once.
    """

    image: Image.Image | np.ndarray
    confidence: np.ndarray | None
    tile: int | None


#: A file, a Pillow image, or an RGB array (H, W, 3) in uint8.
ImageLike: TypeAlias = str | Path | Image.Image | np.ndarray
#: Pillow modes with 8 bits per channel; transparency is dropped.
_MODES = ('1', 'L', 'LA', 'P', 'PA', 'RGB', 'RGBA', 'RGBX', 'CMYK', 'YCbCr')


def read_image(image: ImageLike) -> Tensor:
    """Convert an image of any kind to the input format of the networks.

    Args:
        image: A file; a Pillow image, which is turned upright by its EXIF
            data; or an RGB array ``(H, W, 3)`` of uint8.

    Returns:
        The image ``(3, H, W)``, BGR uint8.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is not an image, or its range is unknown.
        TypeError: If it is something else.
    """
    if isinstance(image, (str, Path)):
        path = Path(image)
        if not path.is_file():
            raise FileNotFoundError(f'There is no image {path}.')
        try:
            rgb, _ = read_rgb(path)
        except ValueError as error:
            raise ValueError(f'{path}: {error}.') from error
    elif isinstance(image, Image.Image):
        if image.mode not in _MODES:
            raise ValueError(
                f'A Pillow image of mode {image.mode} has an unknown value '
                'range: save it and pass the file, or convert it to RGB.'
            )
        rgb = np.asarray(ImageOps.exif_transpose(image).convert('RGB'))
    elif isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(
                'An array must be RGB (H, W, 3) of uint8, not '
                f'{image.shape} of {image.dtype}.'
            )
        rgb = image
    else:
        raise TypeError(
            'Give a file, a Pillow image or an RGB array, not '
            f'{type(image).__name__}. Pass tensors to the resolver itself: '
            'resolver([tensor]).'
        )
    if not rgb.size:
        raise ValueError('An image without pixels cannot be enlarged.')
    # A copy, so that writing to it does not change the caller's pixels.
    bgr = np.ascontiguousarray(rgb[..., ::-1].transpose(2, 0, 1))
    return torch.from_numpy(bgr)


def write_like(pixels: Tensor, image: ImageLike) -> Image.Image | np.ndarray:
    """Convert an image to the kind of another.

    Args:
        pixels: The image ``(3, H, W)``, BGR uint8.
        image: Its source.

    Returns:
        An RGB array if ``image`` is one, otherwise an RGB Pillow image.
    """
    rgb = np.ascontiguousarray(pixels.cpu().numpy()[::-1].transpose(1, 2, 0))
    return rgb if isinstance(image, np.ndarray) else Image.fromarray(rgb)


def check_images(
    images: Sequence[Tensor] | Tensor,
    samples: Sequence[Sample | None] | None = None,
) -> None:
    """Refuse inputs that are not a batch of images.

    Args:
        images: As for :class:`SuperResolver`.
        samples: Data sample or metainfo of each.

    Raises:
        ValueError: If they are not as described there.
    """
    if isinstance(images, Tensor) and images.ndim != 4:
        raise ValueError(
            'images must be a list of (3, H, W) tensors or one (N, 3, H, W) '
            f'tensor, not {tuple(images.shape)}.'
        )
    for image in images:
        if (
            not isinstance(image, Tensor)
            or image.ndim != 3
            or image.shape[0] != 3
            or not image.numel()
        ):
            found = getattr(image, 'shape', type(image).__name__)
            raise ValueError(
                'Each image must be a BGR tensor (3, H, W), not '
                f'{found if isinstance(found, str) else tuple(found)}.'
            )
        if image.dtype == torch.bool or image.is_complex():
            raise ValueError(
                'Images must be integers or floats in 0..255, not '
                f'{image.dtype}.'
            )
    if samples is not None and len(samples) != len(images):
        raise ValueError(
            f'There are {len(images)} images but {len(samples)} samples.'
        )
    for number, image in enumerate(images):
        sample = samples[number] if samples is not None else None
        _check_values(image, metainfo_of(sample).get('img_path'))


def check_reference(reference: Tensor, name: str) -> None:
    """Refuse a reference that is not an image, or several.

    Args:
        reference: BGR (3, Hr, Wr), or several (K, 3, Hr, Wr).
        name: Name in messages of the image that it belongs to.

    Raises:
        ValueError: If it is something else.
    """
    several = isinstance(reference, Tensor) and reference.ndim == 4
    images = list(reference) if several else [reference]
    try:
        check_images(images)
    except ValueError as error:
        raise ValueError(f'The reference of {name}: {error}') from error
    if not images:
        raise ValueError(
            f'The references of {name} are none: pass None instead.'
        )


def to_pixels(image: Tensor) -> Tensor:
    """Store a checked image as bytes, if it has whole numbers.

    Args:
        image: Whole numbers in 0..255, or floats.

    Returns:
        The same values, which torch can compute with: it lacks most functions
        for unsigned integers of more than 8 bits.
    """
    return image if image.is_floating_point() else image.byte()


def _check_values(image: Tensor, path: str | None) -> None:
    """Refuse values that are not colors, and say where they are."""
    if image.dtype == torch.uint8:
        return
    if image.is_floating_point():
        # A resizing filter may overshoot; such values are clipped.
        wrong, wanted = ~torch.isfinite(image), 'a finite number'
    else:
        # torch does not compare unsigned integers of more than 8 bits; those
        # of 64 bits become negative, which is as wrong.
        whole = image.long()
        wrong, wanted = (whole < 0) | (whole > 255), 'in 0..255'
    if wrong.any():
        channel, row, column = wrong.nonzero()[0].tolist()
        raise ValueError(
            f'{path or "An image"} has the value '
            f'{image[channel, row, column].item()} at row {row}, column '
            f'{column} of channel {channel} (BGR), which is not {wanted}. Fix '
            'it or leave the image out.'
        )
