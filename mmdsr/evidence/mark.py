"""The visible mark on a result."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

#: Text of the mark on a result.
MARK = 'enhanced'
#: Height of the letters, as a share of the picture's and in pixels.
_SHARE, _LEAST, _MOST = 1 / 36, 10, 64


def draw_mark(image: np.ndarray, text: str = MARK) -> None:
    """Write a mark into the lower right corner of a picture.

    White text on a black box is readable on any background.

    Args:
        image: ``(H, W, 3)`` RGB or ``(H, W, 4)`` RGBA, uint8; it is changed.
        text: The mark.

    Raises:
        ValueError: If the picture is too small for it.
    """
    height, width = image.shape[:2]
    size = int(min(max(height * _SHARE, _LEAST), _MOST))
    label = _label(text, size)
    rows, columns = label.shape
    if rows > height or columns > width:
        raise ValueError(
            f'{width}x{height} pixels are too few for the mark {text!r}, '
            f'which needs {columns}x{rows}: leave the mark out'
        )
    corner = image[height - rows :, width - columns :]
    corner[..., :3] = label[..., None]
    # The mark would be invisible in a transparent corner.
    corner[..., 3:] = 255


@lru_cache(maxsize=8)
def _label(text: str, size: int) -> np.ndarray:
    """Draw the box once for all frames: (h, w) uint8."""
    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox(text)
    border = max(2, size // 4)
    box = Image.new(
        'L',
        (
            round(right - left) + 2 * border,
            round(bottom - top) + 2 * border,
        ),
    )
    ImageDraw.Draw(box).text(
        (border - left, border - top), text, fill=255, font=font
    )
    return np.asarray(box)
