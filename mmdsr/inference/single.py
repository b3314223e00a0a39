"""One image as people have it: a file, Pillow, an array."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from PIL import Image

from mmdsr.inference.inputs import ImageLike, read_image, write_like

if TYPE_CHECKING:
    from mmdsr.inference.super_resolver import SuperResolver


class Enhanced(NamedTuple):
    """An image and where its detail comes from.

    Args:
        image: RGB, ``scale`` times as large, of the kind that was given.
        confidence: Confidence in the reference for each pixel of the image
            that was given, (H, W) float32 in [0, 1]; ``None`` without a
            reference. ``SuperResolver.confidence_kind`` says what it means.
        tile: Side of the tiles that it was computed in, ``None`` for the
            whole image at once.
    """

    image: Image.Image | np.ndarray
    confidence: np.ndarray | None
    tile: int | None


def explain_one(
    resolver: 'SuperResolver',
    image: ImageLike,
    reference: ImageLike | None,
    device: str | torch.device | None,
) -> Enhanced:
    """Do what ``SuperResolver.explain`` says.

    Args:
        resolver: What enlarges.
        image: As of ``SuperResolver.enhance``.
        reference: Likewise.
        device: Likewise.

    Returns:
        The image.

    Raises:
        ValueError: If it cannot be used, or there is no reference.
    """
    device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
    lr = read_image(image).to(device)
    named = isinstance(image, (str, Path))
    policy, given = resolver.references.policy, None
    if reference is not None:
        if resolver.interpolation is not None:
            raise ValueError('An interpolation takes no reference.')
        given = [read_image(reference)]
    elif policy == 'file' or (policy == 'neighbor' and not named):
        raise ValueError(
            f'reference={policy!r} of the resolver tells no reference for '
            'this image: give it as enhance(image, reference).'
        )
    samples = [dict(img_path=str(image))] if named else None
    (result,) = resolver.explain_pixels([lr], samples, given)
    return Enhanced(
        write_like(result.pixels, image), result.confidence, result.tile
    )
