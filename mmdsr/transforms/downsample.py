"""High-resolution files in, the small image that a camera would give out."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmdsr.io.images import downscale
from mmdsr.registry import TRANSFORMS


@TRANSFORMS.register_module()
class Downsample(BaseTransform):
    """Reduce the image, and nothing but the image.

    Belongs right before ``Pack...``: all geometric transforms have then been
    done on the large image and its annotations, which stay as they are. A
    super-resolving preprocessor, or :class:`mmdsr.SuperResolve`, finds from
    ``img_shape`` that they are at the large size already.

    Uses the filter that made the training data of the super-resolution
    (:func:`mmdsr.io.images.downscale`); float images are rounded to
    the 8 bits of a camera before.

    Required and modified key: ``img``, ``(H, W, 3)`` in 0..255.

    Args:
        scale (float): 1 over a whole number. Defaults to 1/4.

    Raises:
        ValueError: If ``scale`` is something else, or does not divide the
            sides of an image.
    """

    def __init__(self, scale=1 / 4):
        factor = round(1 / scale) if 0 < scale <= 1 else 0
        if not factor or abs(factor * scale - 1) > 1e-6:
            raise ValueError(
                f'scale must be 1 over a whole number, such as 1/4, not '
                f'{scale}.'
            )
        self.factor = factor

    def transform(self, results):
        """Reduce ``img``.

        Args:
            results (dict): The sample so far.

        Returns:
            dict: The sample with a uint8 ``img`` of
            ``(H * scale, W * scale, 3)``.
        """
        image = results['img']
        if image.dtype != np.uint8:
            image = np.rint(np.clip(image, 0, 255)).astype(np.uint8)
        height, width = image.shape[:2]
        if height % self.factor or width % self.factor:
            raise ValueError(
                f'Downsample(scale=1/{self.factor}) cannot reduce '
                f'{results.get("img_path", "an image")} of {width}x{height}: '
                f'put a Resize, or Pad(size_divisor={self.factor}), before '
                'it.'
            )
        # Pillow's memory is read-only, which torch warns about.
        results['img'] = downscale(image, self.factor).copy()
        return results

    def __repr__(self):
        return f'{type(self).__name__}(scale=1/{self.factor})'
