"""The water in a pipe: two lines that meet in the vanishing point."""

from typing import NamedTuple

import cv2
import numpy as np

_STEP = 2.0  # degrees between the rays
_BINS = 2  # rays on either side that make a step of brightness
_SCALE = 0.15  # step of the log luma that counts as an edge
_STEEPEST, _FLATTEST = 12.0, 80.0  # degrees off straight down
_INNER = 0.65  # of the strongest edge
_LEAST = 0.33
_SKEW = 120.0  # degrees of difference between the sides that cost 1


class WaterLines(NamedTuple):
    """The two lines where water and wall meet.

    Attributes:
        left: Angle between the left one and straight down, degrees.
        right: That of the right one.
        strength: 0 to 1.
    """

    left: float
    right: float
    strength: float


def find_water_lines(
    luma: np.ndarray, point: tuple[float, float]
) -> WaterLines | None:
    """Find the lines that bound the water.

    Seen from the vanishing point, the brightness falls from the wall to the
    water at the same angle all along the pipe. Above the water there often
    is a worn or wet band with such a line as well, so of several the inner
    one is taken.

    Args:
        luma: ``(h, w)`` log luma of
            :func:`mmdsr.depth.edges.log_luma`.
        point: The vanishing point in its pixels, the first pixel's center
            being (0, 0).

    Returns:
        None if there are none.
    """
    angles, steps = _profile(luma, point)
    left = _inner_edge(-angles[::-1], -steps[::-1])
    right = _inner_edge(angles, steps)
    if left is None or right is None:
        return None
    strength = min(left[1], right[1]) - abs(left[0] - right[0]) / _SKEW
    if strength < _LEAST:
        return None
    return WaterLines(left[0], right[0], strength)


def water_height(lines: WaterLines, offset: tuple[float, float]) -> float:
    """Turn the angles of the water lines into the height of the camera.

    The lines are the ends of a chord of the circle, and the camera's place
    in the circle is known from the rings.

    Args:
        lines: The lines.
        offset: The camera right of and below the axis, in radii.

    Returns:
        Height of the camera above the water in radii.
    """
    slope = sum(np.tan(np.deg2rad((lines.left, lines.right)))) / 2
    below = offset[1]
    # (below + h)^2 + (slope h)^2 = 1
    square = 1 + slope * slope
    root = np.sqrt(max(below**2 + square * (1 - below**2), 0.0))
    return float((root - below) / square)


def _profile(
    luma: np.ndarray, point: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Step of the brightness across each ray below the vanishing point."""
    height, width = luma.shape
    smooth = cv2.GaussianBlur(luma, (0, 0), 0.7)
    rays = np.deg2rad(np.arange(-86, 87, _STEP))
    radii = np.arange(0.06 * width, 0.75 * width)
    x = (point[0] + np.sin(rays)[:, None] * radii).astype(np.float32)
    y = (point[1] + np.cos(rays)[:, None] * radii).astype(np.float32)
    values = cv2.remap(smooth, x, y, cv2.INTER_LINEAR)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    steps = np.zeros(len(rays))
    for i in range(_BINS, len(rays) - _BINS + 1):
        seen = inside[i - _BINS : i + _BINS].all(axis=0)
        if seen.sum() < 8:
            continue
        above = values[i : i + _BINS, seen].mean(axis=0)
        below = values[i - _BINS : i, seen].mean(axis=0)
        steps[i] = np.tanh((above - below) / _SCALE).mean()
        # A short ray has seen little of the line.
        steps[i] *= min(1.0, seen.sum() / 20)
    return np.rad2deg(rays) - _STEP / 2, steps


def _inner_edge(
    angles: np.ndarray, steps: np.ndarray
) -> tuple[float, float] | None:
    """The steepest line of nearly the greatest step, bright side outside."""
    peak = np.zeros(len(steps), bool)
    peak[1:-1] = (steps[1:-1] >= steps[:-2]) & (steps[1:-1] >= steps[2:])
    peak &= (angles >= _STEEPEST) & (angles <= _FLATTEST) & (steps > 0)
    if not peak.any():
        return None
    first = np.nonzero(peak & (steps >= _INNER * steps[peak].max()))[0][0]
    return float(angles[first]), float(steps[first])
