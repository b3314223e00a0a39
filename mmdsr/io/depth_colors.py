"""Depth as a picture, with the same colors everywhere."""

import cv2
import numpy as np

UNKNOWN = (96, 96, 96)
"""RGB where the depth is not known."""


def color_nearness(nearness: np.ndarray) -> np.ndarray:
    """Color how near things are, in the order of brightness (inferno).

    Args:
        nearness: ``(h, w)`` or ``(h, w, 1)``; 0 is far, 1 is near, values
            beyond are clipped, NaN is unknown.

    Returns:
        ``(h, w, 3)`` uint8 RGB; near is bright, unknown is gray.
    """
    nearness = np.asarray(nearness, dtype=np.float32)
    nearness = nearness.reshape(nearness.shape[:2])
    known = ~np.isnan(nearness)
    share = np.where(known, nearness, 0).clip(0, 1)
    level = np.rint(share * 255).astype(np.uint8)
    # OpenCV gives BGR.
    picture = cv2.applyColorMap(level, cv2.COLORMAP_INFERNO)[..., ::-1].copy()
    picture[~known] = UNKNOWN
    return picture
