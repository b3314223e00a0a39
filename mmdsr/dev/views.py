"""Views of a moving camera on a textured surface, for test recordings."""

from functools import lru_cache

import cv2
import numpy as np


@lru_cache(maxsize=8)
def texture(seed: int = 0, height: int = 600, width: int = 800) -> np.ndarray:
    """Return a colored surface with detail at all scales.

    Args:
        seed: Seed of its noise.
        height: Rows.
        width: Columns.

    Returns:
        (height, width, 3) uint8.
    """
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for cell in (64, 32, 16, 8, 4):
        shape = height // cell + 2, width // cell + 2
        noise = rng.random((*shape, 3), dtype=np.float32)
        noise = 0.7 * noise[..., :1] + 0.3 * noise
        total += cv2.resize(
            noise, (width, height), interpolation=cv2.INTER_CUBIC
        )
    total = (total - total.mean()) / total.std()
    return (128 + 45 * total).clip(0, 255).astype(np.uint8)


def view(
    surface: np.ndarray,
    zoom: float = 1.0,
    x: float = 0.0,
    y: float = 0.0,
    size: tuple[int, int] = (192, 160),
) -> np.ndarray:
    """Look at a surface.

    Args:
        surface: (H, W, 3) uint8.
        zoom: Magnification of the surface.
        x: Columns of the surface by which the view is moved.
        y: Rows by which it is moved.
        size: Width and height of the view.

    Returns:
        (height, width, 3) uint8.
    """
    height, width = surface.shape[:2]
    matrix = np.array(
        [
            [zoom, 0, size[0] / 2 - zoom * (width / 2 + x)],
            [0, zoom, size[1] / 2 - zoom * (height / 2 + y)],
        ],
        np.float32,
    )
    return cv2.warpAffine(
        surface,
        matrix,
        size,
        flags=cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    )


def drive(
    surface: np.ndarray,
    count: int = 8,
    growth: float = 1.12,
    size: tuple[int, int] = (192, 160),
    turn: int | None = None,
) -> list[np.ndarray]:
    """Return the frames of an approaching camera.

    Args:
        surface: (H, W, 3) uint8.
        count: Number of frames.
        growth: Growth of the surface from frame to frame.
        size: Width and height of a frame.
        turn: Number of frames after which the camera goes back, and then forth
            again, a little to the side so that no view repeats. Defaults to
            None: never.

    Returns:
        (height, width, 3) uint8 each.
    """
    frames = []
    for number in range(count):
        step, x = number, 0.0
        if turn is not None:
            step, x = turn - abs(number % (2 * turn) - turn), number / 4
        frames.append(view(surface, growth**step, x, size=size))
    return frames
