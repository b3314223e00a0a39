"""Enlarging without a network, as a baseline."""

import torch
import torch.nn.functional as F
from torch import Tensor

INTERPOLATIONS = ('nearest', 'bilinear', 'bicubic')
MAX_SCALE = 8


def check_scale(interpolation: str, scale: int | None) -> int:
    """Return the scale of an interpolation.

    Args:
        interpolation: One of :data:`INTERPOLATIONS`.
        scale: 1 to :data:`MAX_SCALE`; ``None`` for 4.

    Raises:
        ValueError: If one of them is something else.
    """
    if interpolation not in INTERPOLATIONS:
        raise ValueError(
            f'interpolation must be one of {INTERPOLATIONS}, not '
            f'{interpolation!r}.'
        )
    scale = 4 if scale is None else scale
    if scale not in range(1, MAX_SCALE + 1):
        raise ValueError(
            f'scale must be a whole number from 1 to {MAX_SCALE}, not '
            f'{scale!r}.'
        )
    return int(scale)


def interpolate(image: Tensor, interpolation: str, scale: int) -> Tensor:
    """Enlarge an image.

    Args:
        image: (3, H, W), whole numbers or float in 0..255.
        interpolation: One of :data:`INTERPOLATIONS`.
        scale: Factor by which rows and columns are enlarged.

    Returns:
        uint8 (3, H * scale, W * scale).
    """
    smooth = interpolation != 'nearest'
    height, width = (side * scale for side in image.shape[-2:])
    result = image.new_empty(3, height, width, dtype=torch.uint8)
    # One by one, to hold a third of the floats.
    for channel, target in zip(image, result, strict=True):
        enlarged = F.interpolate(
            channel[None, None].float(),
            scale_factor=scale,
            mode=interpolation,
            # With it torch uses Pillow's cubic kernel (a = -0.5) instead of
            # a = -0.75.
            antialias=smooth,
            **(dict(align_corners=False) if smooth else {}),
        )
        target.copy_(enlarged[0, 0].clamp_(0, 255).round_())
    return result
