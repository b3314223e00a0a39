"""Cross-sections of pipes: where a ray leaves them, and their perimeter.

A section is convex and star-shaped about its origin, axes x right and y
down. Its shape is given by three numbers ``(code, half width, half height)``:

- *circular*: radius = half width;
- *egg*: the classical 2:3 egg, narrow end down: a half circle of radius r
  above, side arcs of radius 3 r, an invert of radius r / 2; from y = -r to
  y = 2 r;
- *box*: a rectangle.
"""

import math

import numpy as np

from mmdsr.sim.jit import jit

Vector = tuple[float, float, float]

CIRCULAR, EGG, BOX = 0, 1, 2
CODES = {'circular': CIRCULAR, 'egg': EGG, 'box': BOX}
_EGG_JOIN = 1.8  # y / r where the side arcs of the egg meet the invert


@jit
def arc_exit(
    cx: float, cy: float, r: float, ox: float, oy: float, dx: float, dy: float
) -> float:
    """Return the larger ray parameter on a circle; inf if it is missed."""
    px, py = ox - cx, oy - cy
    # The lower bound lets a ray along the axis meet the wall very far away.
    a = max(dx * dx + dy * dy, 1e-30)
    b = px * dx + py * dy
    c = px * px + py * py - r * r
    square = b * b - a * c
    if square < 0:
        return math.inf
    root = math.sqrt(square)
    # Two forms of the same root; each is free of cancellation on its side.
    if b > 0:
        return -c / (b + root)
    return (root - b) / a


@jit
def _normal(
    cx: float, cy: float, r: float, x: float, y: float
) -> tuple[float, float]:
    return (x - cx) / r, (y - cy) / r


@jit
def _round_exit(
    r: float, ox: float, oy: float, dx: float, dy: float
) -> Vector:
    t = arc_exit(0.0, 0.0, r, ox, oy, dx, dy)
    # A ray that starts on the wall may miss it by rounding.
    t = 0.0 if t == math.inf else t
    nx, ny = _normal(0.0, 0.0, r, ox + t * dx, oy + t * dy)
    return t, nx, ny


@jit
def section_exit(
    code: int, r: float, h: float, ox: float, oy: float, dx: float, dy: float
) -> Vector:
    """Return where a ray that crosses the section leaves it for good.

    Args:
        code: Kind of section.
        r: Half width.
        h: Half height of a box.
        ox: Start of the ray across the pipe, to the right.
        oy: Start of the ray across the pipe, downwards.
        dx: Direction across the pipe, to the right.
        dy: Direction across the pipe, downwards.

    Returns:
        Ray parameter and outward normal (x, y).
    """
    if code == CIRCULAR:
        return _round_exit(r, ox, oy, dx, dy)
    if code == BOX:
        tx = (math.copysign(r, dx) - ox) / dx if dx != 0 else math.inf
        ty = (math.copysign(h, dy) - oy) / dy if dy != 0 else math.inf
        if tx < ty:
            return tx, math.copysign(1.0, dx), 0.0
        return ty, 0.0, math.copysign(1.0, dy)
    # The egg: the arc that is left inside its own part of the outline.
    t = arc_exit(0.0, 0.0, r, ox, oy, dx, dy)
    y = oy + t * dy
    if t < math.inf and y <= 0:
        nx, ny = _normal(0.0, 0.0, r, ox + t * dx, y)
        return t, nx, ny
    for side in (-1.0, 1.0):
        t = arc_exit(-side * 2 * r, 0.0, 3 * r, ox, oy, dx, dy)
        x, y = ox + t * dx, oy + t * dy
        if t < math.inf and x * side > 0 and 0 <= y <= _EGG_JOIN * r:
            nx, ny = _normal(-side * 2 * r, 0.0, 3 * r, x, y)
            return t, nx, ny
    t = arc_exit(0.0, 1.5 * r, 0.5 * r, ox, oy, dx, dy)
    if t == math.inf:
        # Due to rounding where two arcs meet; take the nearest arc.
        return _round_exit(r, ox, oy, dx, dy)
    nx, ny = _normal(0.0, 1.5 * r, 0.5 * r, ox + t * dx, oy + t * dy)
    return t, nx, ny


@jit
def section_holds(code: int, r: float, h: float, x: float, y: float) -> bool:
    """Return whether a point lies inside the section."""
    if code == CIRCULAR:
        return x * x + y * y <= r * r
    if code == BOX:
        return abs(x) <= r and abs(y) <= h
    if y <= 0:
        return x * x + y * y <= r * r
    if y <= _EGG_JOIN * r:
        return abs(x) + 2 * r <= math.sqrt(9 * r * r - y * y)
    return x * x + (y - 1.5 * r) ** 2 <= 0.25 * r * r


def extent(code: int, r: float, h: float) -> tuple[float, float]:
    """Return the smallest and largest y of the section."""
    return {CIRCULAR: (-r, r), EGG: (-r, 2 * r), BOX: (-h, h)}[code]


def outline(code: int, r: float, h: float, angle: np.ndarray) -> np.ndarray:
    """Return the points of the outline at given angles about the origin.

    Args:
        code: Kind of section.
        r: Half width.
        h: Half height of a box.
        angle: Angles in rad, 0 to the right, increasing downwards, ``(N,)``.

    Returns:
        Points ``(N, 2)``.
    """
    out = np.empty((len(angle), 2))
    for i, turn in enumerate(angle):
        dx, dy = math.cos(turn), math.sin(turn)
        t, _, _ = section_exit(code, r, h, 0.0, 0.0, dx, dy)
        out[i] = t * dx, t * dy
    return out


def perimeter_table(
    code: int, r: float, h: float, entries: int = 1024
) -> tuple[np.ndarray, float]:
    """Return the share of the perimeter passed, as a function of the angle.

    Args:
        code: Kind of section.
        r: Half width.
        h: Half height of a box.
        entries: Number of steps of the table.

    Returns:
        Shares at ``entries + 1`` equal steps of the angle from 0 to a full
        turn (the first is 0, the last 1), and the perimeter.
    """
    fine = 16
    angle = np.linspace(0, 2 * np.pi, entries * fine + 1)
    points = outline(code, r, h, angle)
    steps = np.hypot(*np.diff(points, axis=0).T)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    return length[::fine] / length[-1], float(length[-1])
