"""Measure how much of a frame is visible in another one, and how large."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

_SIDE = 480
"""Longest side of the picture for feature detection, in pixels."""
_FEATURES = 2500
_RATIO = 0.8
"""Largest ratio of the distances of the best and second-best match."""
_TURN = 20.0
"""Largest deviation of a match from the common rotation, in degrees."""
_GROWTH = (0.5, 2.5)
_GRID = (8, 6)
_FEWEST = 10
"""Minimum number of matches; fewer fit any geometry."""
_ERROR = 1.5
_SCALE_POINTS = 200
_STRAY = 0.08
"""Largest error of a match in the common motion, relative to the diagonal."""


class Features(NamedTuple):
    """The features of a picture.

    Args:
        points: ``(n, 2)`` float32 positions in [0, 1).
        sizes: ``(n,)`` float32.
        angles: ``(n,)`` float32 directions in degrees.
        descriptors: ``(n, 128)`` float32 of length 1.
        scale: ``(2,)`` float32 factor from positions to pixels.
    """

    points: np.ndarray
    sizes: np.ndarray
    angles: np.ndarray
    descriptors: np.ndarray
    scale: np.ndarray


@dataclass(frozen=True)
class FrameMatch:
    """Match of two frames.

    Attributes:
        inliers: Feature matches that fit one epipolar geometry.
        spread: Share in [0, 1] of the cells of an 8x6 grid over the first
            frame that hold an inlier.
        scale: Size in the second frame divided by size in the first one; > 1
            means nearer. 1 if there are no inliers.
        spread_back: As ``spread``, over the second frame.
    """

    inliers: int = 0
    spread: float = 0.0
    scale: float = 1.0
    spread_back: float = 0.0

    def reverse(self) -> 'FrameMatch':
        """Return the match from the second frame to the first.

        Returns:
            The match with the roles of the frames exchanged.
        """
        return FrameMatch(
            self.inliers, self.spread_back, 1 / self.scale, self.spread
        )


def find_features(image: np.ndarray) -> Features:
    """Find SIFT features.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.

    Returns:
        The features, possibly none.
    """
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    height, width = luma.shape
    shrink = min(1.0, _SIDE / max(height, width))
    if shrink < 1:
        width, height = round(width * shrink), round(height * shrink)
        luma = cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA)
    # Walls are dim and uniform; local contrast doubles the features found.
    luma = cv2.createCLAHE(2.0, (8, 8)).apply(luma)
    sift = cv2.SIFT.create(nfeatures=_FEATURES, contrastThreshold=0.02)
    # OpenCV's type hint requires a mask, OpenCV does not.
    points, descriptors = sift.detectAndCompute(luma, None)  # type: ignore[call-overload]
    scale = np.array([width, height], np.float32)
    if descriptors is None:
        none = np.zeros(0, np.float32)
        return Features(np.zeros((0, 2), np.float32), none, none, none, scale)
    # RootSIFT: square roots of the normalized values, compared by product.
    share = descriptors / (descriptors.sum(1, keepdims=True) + 1e-7)
    return Features(
        np.array([point.pt for point in points], np.float32) / scale,
        np.array([point.size for point in points], np.float32),
        np.array([point.angle for point in points], np.float32),
        np.sqrt(share),
        scale,
    )


def match_features(one: Features, other: Features) -> FrameMatch:
    """Match the features of two frames.

    Matches must be mutual and clearly better than the second best, agree on
    the rotation of the picture (a camera in a pipe hardly rolls between
    neighbors), and fit one fundamental matrix: this holds for all distances,
    and for a camera that moves, turns or zooms.

    Args:
        one: Result of :func:`find_features`.
        other: Result of :func:`find_features` for the second frame.

    Returns:
        The match from the first to the second frame.
    """
    if min(len(one.points), len(other.points)) < _FEWEST:
        return FrameMatch()
    first, second = _mutual(one.descriptors, other.descriptors)
    growth = other.sizes[second] / one.sizes[first]
    keep = _same_turn(other.angles[second] - one.angles[first])
    keep &= (growth > _GROWTH[0]) & (growth < _GROWTH[1])
    first, second = first[keep], second[keep]
    if len(first) < _FEWEST:
        return FrameMatch()
    p, q = one.points[first] * one.scale, other.points[second] * other.scale
    diagonal = float(np.hypot(*one.scale))
    inside = _consistent(p, q, diagonal)
    if not inside.any():
        return FrameMatch()
    return FrameMatch(
        int(inside.sum()),
        _spread(one.points[first][inside]),
        _scale(p[inside], q[inside], diagonal),
        _spread(other.points[second][inside]),
    )


def _consistent(p: np.ndarray, q: np.ndarray, diagonal: float) -> np.ndarray:
    """Return which matches are explained by one camera motion."""
    none = np.zeros(len(p), bool)
    try:
        _, found = cv2.findFundamentalMat(
            p, q, cv2.USAC_MAGSAC, _ERROR, 0.999, 5000
        )
    except cv2.error:  # no model, e.g. for points on one line
        return none
    if found is None or found.sum() < _FEWEST:
        return none
    inside = found.ravel() > 0
    # A fundamental matrix constrains points only to lines, and if most points
    # are at rest, it allows nearly any motion. So the others must roughly
    # follow them.
    _, near = cv2.estimateAffinePartial2D(
        p[inside], q[inside], ransacReprojThreshold=_STRAY * diagonal
    )
    if near is None:
        return none
    inside[inside] = near.ravel() > 0
    return inside


def _mutual(
    one: np.ndarray, other: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of matches that pass the ratio test both ways."""
    alike = one @ other.T
    rows = np.arange(len(one))
    best = alike.argmax(1)
    back = alike.argmax(0)
    top = alike[rows, best]
    alike[rows, best] = -1
    # For vectors of length 1, distance² = 2 - 2 product.
    good = (1 - top) < _RATIO**2 * (1 - alike.max(1))
    first = np.nonzero(good & (back[best] == rows))[0]
    return first, best[first]


def _same_turn(turn: np.ndarray) -> np.ndarray:
    """Return which matches agree with the rotation of most of them."""
    turn = turn % 360
    if not len(turn):
        return np.zeros(0, bool)
    counts = np.histogram(turn, 36, (0, 360))[0]
    counts = counts + np.roll(counts, 1) + np.roll(counts, -1)
    center = 10 * counts.argmax() + 5
    off = (turn - center + 180) % 360 - 180
    center += np.median(off[np.abs(off) < _TURN])
    return np.abs((turn - center + 180) % 360 - 180) < _TURN


def _spread(points: np.ndarray) -> float:
    cells = np.clip((points * _GRID).astype(int), 0, np.array(_GRID) - 1)
    return len(np.unique(cells, axis=0)) / (_GRID[0] * _GRID[1])


def _scale(p: np.ndarray, q: np.ndarray, diagonal: float) -> float:
    """Return the median growth of the distances between the points."""
    # A subset suffices: the number of pairs grows quadratically.
    step = -(-len(p) // _SCALE_POINTS)
    p, q = p[::step], q[::step]
    upper = np.triu_indices(len(p), 1)
    before = np.linalg.norm((p[:, None] - p[None])[upper], axis=1)
    after = np.linalg.norm((q[:, None] - q[None])[upper], axis=1)
    # Short distances are dominated by errors.
    long = before > 0.05 * diagonal
    if not long.any():
        return 1.0
    return float(np.clip(np.median(after[long] / before[long]), 0.1, 10))
