"""Edges and shading of a frame for the pipe prior."""

from typing import NamedTuple

import cv2
import numpy as np

WIDTH = 128
"""Longer side of the analyzed image, in pixels."""

DARKEST = 6.0
"""Gray level that the bright parts of a frame must reach."""

_FLOOR = 0.05  # relative to the bright parts; below it, there is only noise
_STEPS = (1.0, 2.0)  # smoothing of the two scales of edges, pixels
_SHADING = 4.0  # smoothing that leaves the shading, pixels


class Edges(NamedTuple):
    """Points with a direction.

    Attributes:
        points: ``(n, 2)`` float32 x, y in pixels of the small image, whose
            first pixel has its center at (0, 0).
        normals: ``(n, 2)`` float32 unit vectors towards the bright side.
        weights: ``(n,)`` float32 in [0, 1].
    """

    points: np.ndarray
    normals: np.ndarray
    weights: np.ndarray


def log_luma(image: np.ndarray) -> np.ndarray | None:
    """Reduce a frame and take the logarithm of its luma.

    By the logarithm, edges in the dark count like those in the light, and the
    exposure is only a constant.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.

    Returns:
        ``(h, w)`` float32, at most ``WIDTH`` on its longer side; None if the
        frame is black.
    """
    height, width = image.shape[:2]
    scale = min(1.0, WIDTH / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    luma: np.ndarray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    luma = luma.astype(np.float32)
    luma = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    bright = float(np.percentile(luma, 95))
    if bright < DARKEST:
        return None
    return np.log(luma / bright + np.float32(_FLOOR))


def find_edges(luma: np.ndarray, limit: int = 4000) -> Edges:
    """Collect the edges, fine and coarse ones.

    Args:
        luma: Result of :func:`log_luma`.
        limit: Maximum number of edges; the selection is uniform, irregular and
            deterministic.

    Returns:
        Those stronger than half the image. The weight saturates, so that
        burned-in text does not drown the wall.
    """
    parts = []
    for step in _STEPS:
        dx, dy = _slopes(luma, step)
        strength = np.hypot(dx, dy)
        typical = float(np.median(strength)) + 1e-3
        # The outermost pixels are affected by the mirrored border.
        inner = np.zeros(luma.shape, bool)
        inner[2:-2, 2:-2] = True
        y, x = np.nonzero((strength > typical) & inner)
        found = strength[y, x]
        parts.append(
            np.stack(
                [
                    x,
                    y,
                    dx[y, x] / found,
                    dy[y, x] / found,
                    found / (found + 2 * typical),
                ],
                axis=1,
            )
        )
    rows = np.concatenate(parts).astype(np.float32)
    rows = rows[np.random.default_rng(0).permutation(len(rows))[:limit]]
    return Edges(rows[:, :2], rows[:, 2:4], rows[:, 4])


def find_shading(luma: np.ndarray, every: int = 4) -> Edges:
    """Sample the large-scale slope of the brightness.

    Args:
        luma: Result of :func:`log_luma`.
        every: Distance of the samples, pixels.

    Returns:
        One sample per cell.
    """
    dx, dy = _slopes(luma, _SHADING)
    strength = np.hypot(dx, dy)
    typical = float(np.median(strength)) + 1e-3
    y, x = np.mgrid[1 : luma.shape[0] : every, 1 : luma.shape[1] : every]
    y, x = y.ravel(), x.ravel()
    slope = np.stack([dx[y, x], dy[y, x]], axis=1)
    found = strength[y, x]
    return Edges(
        np.stack([x, y], axis=1).astype(np.float32),
        slope / (found[:, None] + 1e-9),
        found / (found + typical),
    )


def darkness(luma: np.ndarray) -> np.ndarray:
    """Rank every pixel of the smoothed image by how dark it is.

    Args:
        luma: Result of :func:`log_luma`.

    Returns:
        ``(h, w)`` in [0, 1], 1 = the darkest place.
    """
    smooth = cv2.GaussianBlur(luma, (0, 0), 0.025 * WIDTH)
    brighter = np.searchsorted(np.sort(smooth, axis=None), smooth)
    return 1 - brighter / smooth.size


def _slopes(image: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    smooth = cv2.GaussianBlur(image, (0, 0), step)
    return (
        cv2.Scharr(smooth, cv2.CV_32F, 1, 0) / 32,
        cv2.Scharr(smooth, cv2.CV_32F, 0, 1) / 32,
    )
