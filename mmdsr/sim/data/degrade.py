"""Realistic degradation of a low-resolution image."""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from mmdsr.io.images import check_image
from mmdsr.sim.shade.sensor import compress

_FILTERS = {
    'bicubic': Image.Resampling.BICUBIC,
    'bilinear': Image.Resampling.BILINEAR,
    'box': Image.Resampling.BOX,
}


@dataclass(frozen=True)
class Degradation:
    """Ranges of the realistic degradation, drawn again for each image.

    Blur, reduction, noise and compression follow each other, as in a
    camera. The paper's protocol is the bicubic reduction alone.

    Attributes:
        blur: Standard deviations of the lens along the two axes of an
            ellipse, in pixels of the full-size image.
        filters: Filters of the reduction: ``'bicubic'``, ``'bilinear'``,
            ``'box'`` (Pillow, antialiased).
        noise: Standard deviation of the noise in gray levels.
        shot: Standard deviation of the shot noise at white, which grows with
            the root of the brightness, in gray levels.
        quality: JPEG quality.
    """

    blur: tuple[float, float] = (0.2, 2.4)
    filters: tuple[str, ...] = ('bicubic', 'bilinear', 'box')
    noise: tuple[float, float] = (0.0, 4.0)
    shot: tuple[float, float] = (0.0, 4.0)
    quality: tuple[int, int] = (55, 96)

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ValueError: If a range is invalid; the message names it.
        """
        for name in ('blur', 'noise', 'shot', 'quality'):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise ValueError(f'{name} must satisfy 0 <= low <= high')
        if not self.filters or set(self.filters) - set(_FILTERS):
            raise ValueError(f'filters must be a subset of {tuple(_FILTERS)}')
        if not 1 <= self.quality[0] <= self.quality[1] <= 100:
            raise ValueError('quality must be in 1..100')


def _blur(
    image: np.ndarray, rng: np.random.Generator, settings: Degradation
) -> np.ndarray:
    """Blur with an elliptic Gaussian of random direction."""
    wide, slim = np.maximum(rng.uniform(*settings.blur, 2), 1e-3)
    angle = rng.uniform(0, np.pi)
    reach = max(1, int(np.ceil(3 * max(wide, slim))))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(float)
    u = x * np.cos(angle) + y * np.sin(angle)
    v = y * np.cos(angle) - x * np.sin(angle)
    kernel = np.exp(-0.5 * ((u / wide) ** 2 + (v / slim) ** 2))
    return cv2.filter2D(
        image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE
    )


def degrade(
    hr: np.ndarray,
    rng: np.random.Generator,
    settings: Degradation | None = None,
    scale: int = 4,
) -> np.ndarray:
    """Make the low-resolution image of a frame as a poor camera would.

    Args:
        hr: ``(H, W, 3)`` uint8, both sides divisible by the scale.
        rng: Source of the draws and of the noise.
        settings: Ranges; default `Degradation()`.
        scale: Reduction factor.

    Returns:
        ``(H / scale, W / scale, 3)`` uint8.

    Raises:
        ValueError: If the image does not have this form.
    """
    check_image('hr', hr, scale)
    settings = settings or Degradation()
    height, width = hr.shape[:2]
    image = Image.fromarray(_blur(hr, rng, settings))
    name = settings.filters[rng.integers(len(settings.filters))]
    size = (width // scale, height // scale)
    small = np.asarray(image.resize(size, _FILTERS[name]), np.float32)
    read = rng.uniform(*settings.noise)
    shot = rng.uniform(*settings.shot)
    spread = np.hypot(read, shot * np.sqrt(small / 255))
    small = small + spread * rng.standard_normal(small.shape)
    lr = np.clip(np.rint(small), 0, 255).astype(np.uint8)
    low, high = settings.quality
    return compress(lr, int(rng.integers(low, high + 1)))
