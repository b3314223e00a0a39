"""Pictures of pipes whose depth is known."""

import numpy as np

from mmdsr.depth.pipe import pipe_depth

SIZE = (320, 240)
FOCAL = 220.0


def pipe_picture(
    point, offset=(0.0, 0.0), water=None, size=SIZE, focal=FOCAL, seed=0
):
    """Draw a lit pipe with rings and stains along it.

    Returns the uint8 RGB image and its depth in radii.
    """
    rng = np.random.default_rng(seed)
    depth = pipe_depth(size, point, focal, 1.0, offset, water)
    x = np.arange(size[0]) + 0.5 - point[0]
    y = (np.arange(size[1]) + 0.5 - point[1])[:, None]
    angle = np.arctan2(y, x)
    tone = 1 + 0.15 * np.sin(9 * depth) + 0.1 * np.sin(7 * angle + 1)
    # Joints, the same number of radii apart.
    tone = np.where(depth % 2.5 < 0.12, 0.4 * tone, tone)
    if water is not None:
        wet = depth < pipe_depth(size, point, focal, 1.0, offset) - 1e-4
        tone = np.where(wet, 0.45, tone)
    light = 420 * tone / (1 + depth**2) + rng.normal(0, 1.5, depth.shape)
    image = np.clip(light[..., None] * [1.0, 0.9, 0.8], 0, 255)
    return image.astype(np.uint8), depth
