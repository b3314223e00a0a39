"""The vanishing point of a pipe, and the position of the camera in it.

In a straight pipe, every edge is one of two kinds. Rings (joints,
corrugations, the rim of the light) are circles; those at different depths are
enlarged copies of each other about the vanishing point. Lines along the pipe
(water line, cracks, mortar) run through the vanishing point. The brightness
also increases outwards from it, since the lamp does not reach far.
"""

from typing import NamedTuple

import numpy as np

from mmdsr.depth.edges import (
    Edges,
    darkness,
    find_edges,
    find_shading,
    log_luma,
)

MIN_SIDE = 16
"""Smallest side of a reduced image that is analyzed."""

LEAST_CONFIDENCE = 0.45
"""Confidence below which the vanishing point counts as not found."""

_GRID = 4  # step of the coarse search, pixels of the small image
_SHADING, _DARK = 0.5, 0.25  # weights against that of the edges
_WIDTH = 0.06  # squared sine of the angle beyond which an edge does not fit
_SHRINK = 0.45  # pull of the camera to the axis of the pipe
_MAX_OFFSET = 0.6  # of the radius
# Values at which the two indications of a pipe are certain.
_SURE_EDGES, _SURE_SHADING = 0.2, 0.35


class VanishingPoint(NamedTuple):
    """Vanishing point of a pipe, and position of the camera.

    Attributes:
        x: Pixels from the left border (the first pixel's center is at 0.5).
        y: Pixels from the upper border.
        offset: Position of the camera right of and below the axis, in radii of
            the pipe.
        confidence: 0 (not found) to 1.
        problem: Why it was not found, '' if it was.
    """

    x: float
    y: float
    offset: tuple[float, float]
    confidence: float
    problem: str = ''


def find_vanishing_point(image: np.ndarray) -> VanishingPoint:
    """Find the vanishing point of a pipe.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.

    Returns:
        In pixels of ``image``. If none is found it is the center of the image,
        the offset is zero and ``problem`` says why.
    """
    height, width = image.shape[:2]

    def give_up(confidence: float, problem: str) -> VanishingPoint:
        return VanishingPoint(
            width / 2, height / 2, (0.0, 0.0), confidence, problem
        )

    luma = log_luma(image)
    if luma is None:
        return give_up(0.0, 'the frame is black')
    if min(luma.shape) < MIN_SIDE:
        return give_up(0.0, 'the frame is too small or too narrow')
    edges = find_edges(luma)
    # Agreement of only a few edges is chance.
    if len(edges.weights) < 50:
        return give_up(0.0, 'the frame has no structure')
    start, confidence = _search(luma, edges)
    if confidence < LEAST_CONFIDENCE:
        return give_up(confidence, 'the frame does not look down a pipe')
    point, ring = _refine(edges, start, luma.shape)
    scale = np.array([width, height]) / luma.shape[::-1]
    x, y = (point + 0.5) * scale
    return VanishingPoint(
        float(x), float(y), (float(-ring[0]), float(-ring[1])), confidence
    )


def convergence(edges: Edges, candidates: np.ndarray) -> np.ndarray:
    """Measure how well edges fit rings about, and lines through, points.

    The mean of ``cos(4 a)`` with ``a`` the angle between the normal of an
    edge and the direction from the point: 1 if all are rings or lines, 0 for
    random directions.

    Args:
        edges: The edges.
        candidates: ``(m, 2)`` points.

    Returns:
        ``(m,)`` in [-1, 1].
    """
    cosine, distance = _cosines(edges, candidates)
    square = 2 * cosine * cosine - 1
    weights = edges.weights * (distance > 3)
    total = np.maximum(weights.sum(axis=1), 1e-6)
    return ((2 * square * square - 1) * weights).sum(axis=1) / total


def divergence(shading: Edges, candidates: np.ndarray) -> np.ndarray:
    """Measure how well the brightness rises outwards from points.

    Args:
        shading: Slopes of the brightness.
        candidates: ``(m, 2)`` points.

    Returns:
        ``(m,)`` in [-1, 1], 1 if it rises away from the point everywhere.
    """
    cosine, _ = _cosines(shading, candidates)
    total = max(float(shading.weights.sum()), 1e-6)
    return (cosine * shading.weights).sum(axis=1) / total


def _cosines(
    edges: Edges, candidates: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    x = edges.points[:, 0] - candidates[:, :1]
    y = edges.points[:, 1] - candidates[:, 1:]
    distance = np.sqrt(x * x + y * y) + np.float32(1e-6)
    along = x * edges.normals[:, 0] + y * edges.normals[:, 1]
    return along / distance, distance


def _search(luma: np.ndarray, edges: Edges) -> tuple[np.ndarray, float]:
    """Try a grid of points; return the best and the confidence in it."""
    height, width = luma.shape
    y, x = np.mgrid[2:height:_GRID, 2:width:_GRID]
    candidates = np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float32)
    few = type(edges)(*(part[:1500] for part in edges))
    fit = convergence(few, candidates)
    rise = divergence(find_shading(luma), candidates)
    dark = darkness(luma)[y, x].ravel()
    best = int(np.argmax(fit + _SHADING * rise + _DARK * dark))
    fit = np.clip(fit[best] / _SURE_EDGES, 0, 1)
    rise = np.clip(rise[best] / _SURE_SHADING, 0, 1)
    return candidates[best], float(np.sqrt(fit * rise))


def _refine(
    edges: Edges, start: np.ndarray, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Fit the vanishing point and the center of the rings to the edges."""
    from scipy.optimize import minimize  # of the extras "depth", "video"

    # In units of the image, so that all four numbers have one size.
    unit = float(max(shape))
    points, normals = edges.points / unit, edges.normals
    near = (3 / unit) ** 2
    first = np.r_[start / unit, 0.0, 0.0].astype(float)

    def cost(values: np.ndarray) -> float:
        ring = values[2:]
        square = float(ring @ ring)
        if square > _MAX_OFFSET**2:
            return 1 + square
        away = points - values[:2]
        distance = (away * away).sum(axis=1) + 1e-9
        along = away @ ring
        # The ring through a point: |away - radius ring| = radius.
        root = np.sqrt(along * along + (1 - square) * distance)
        radius = (root - along) / (1 - square)
        normal = away - radius[:, None] * ring
        across = (normals * normal).sum(axis=1) ** 2
        off_ring = 1 - across / ((normal * normal).sum(axis=1) + 1e-9)
        off_line = (normals * away).sum(axis=1) ** 2 / distance
        weights = edges.weights * (distance > near)
        fits = np.exp(-np.minimum(off_ring, off_line) / _WIDTH)
        mean = (fits * weights).sum() / max(float(weights.sum()), 1e-6)
        return -mean + _SHRINK * square

    steps = np.diag([4 / unit, 4 / unit, 0.15, 0.15])
    result = minimize(
        cost,
        first,
        method='Nelder-Mead',
        options={
            'initial_simplex': np.vstack([first, first + steps]),
            'maxfev': 250,
            'xatol': 1e-3,
            'fatol': 1e-5,
        },
    )
    limit = np.array(shape[::-1]) - 1.0
    return np.clip(result.x[:2] * unit, 0, limit), result.x[2:]
