"""Depth as a picture with fixed colors."""

import cv2
import numpy as np

UNKNOWN = (96, 96, 96)
"""Color of unknown depth, RGB."""


def color_nearness(nearness: np.ndarray) -> np.ndarray:
    """Color nearness by a scale of increasing brightness (inferno).

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
    # OpenCV returns BGR.
    picture = cv2.applyColorMap(level, cv2.COLORMAP_INFERNO)[..., ::-1].copy()
    picture[~known] = UNKNOWN
    return picture
