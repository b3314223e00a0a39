"""Reduce a high-resolution image to that of a small camera."""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmdsr.io.images import downscale
from mmdsr.registry import TRANSFORMS


@TRANSFORMS.register_module()
class Downsample(BaseTransform):
    """Reduce the image, but not its annotations.

    Place it right before ``Pack...``: all geometric transforms have then been
    applied to the large image and its annotations, which are unchanged. From
    ``img_shape``, a super-resolving preprocessor or
    :class:`mmdsr.SuperResolve` recognizes that they are already at the large
    size.

    The filter is the one that made the training data of the super-resolution
    (:func:`mmdsr.io.images.downscale`); float images are first rounded to the
    8 bits of a camera.

    Required and modified key: ``img``, ``(H, W, 3)`` in 0..255.

    Args:
        scale: 1 divided by an integer.

    Raises:
        ValueError: If ``scale`` is not such a number, or does not divide the
            sides of an image, or the image has integers outside 0..255 or
            values that are not finite.
    """

    def __init__(self, scale: float = 1 / 4) -> None:
        factor = round(1 / scale) if 0 < scale <= 1 else 0
        if not factor or abs(factor * scale - 1) > 1e-6:
            raise ValueError(
                'scale must be 1 divided by an integer, such as 1/4, not '
                f'{scale}.'
            )
        self.factor = factor

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Reduce ``img``.

        Args:
            results: The sample so far.

        Returns:
            The sample with a uint8 ``img`` of ``(H * scale, W * scale, 3)``.
        """
        image = results['img']
        path = results.get('img_path', 'an image')
        if image.dtype != np.uint8:
            _check_values(image, path)
            image = np.rint(np.clip(image, 0, 255)).astype(np.uint8)
        height, width = image.shape[:2]
        if height % self.factor or width % self.factor:
            raise ValueError(
                f'Downsample(scale=1/{self.factor}) cannot reduce '
                f'{path} of {width}x{height}: put a Resize, or '
                f'Pad(size_divisor={self.factor}), before it.'
            )
        # Pillow's arrays are read-only, which makes torch warn.
        results['img'] = downscale(image, self.factor).copy()
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(scale=1/{self.factor})'


def _check_values(image: np.ndarray, path: str) -> None:
    """Refuse what the rounding to 8 bits would turn white or black."""
    low, high = image.min(initial=0), image.max(initial=0)
    # Changing the brightness, or a resizing filter, may overshoot.
    floats = np.issubdtype(image.dtype, np.floating)
    if not (np.isfinite(low) and np.isfinite(high)) or (
        not floats and (low < 0 or high > 255)
    ):
        raise ValueError(
            f'Downsample cannot reduce {path}: its values are {low} to '
            f'{high}, not 0 to 255. Load it with 8 bits (color_type="color").'
        )
