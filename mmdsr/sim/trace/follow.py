"""Following a ray down the row of segments to the wall that it meets."""

import math

import numpy as np

from mmdsr.sim.jit import jit
from mmdsr.sim.scene.section import (
    Vector,
    arc_exit,
    section_exit,
    section_holds,
)
from mmdsr.sim.scene.segments import (
    COS,
    CX,
    CY,
    MIDDLE,
    REACH,
    SIN,
    SQUEEZE,
    SX,
    SY,
    Z0,
)

_MARCH = 8  # steps of the search for the wall in a deformed stretch


@jit
def squeeze_at(row: np.ndarray, z: float) -> float:
    """Return the relative widening of a deformed segment at z."""
    u = (z - row[MIDDLE]) / row[REACH]
    return row[SQUEEZE] * (1 - u * u) ** 2 if abs(u) < 1 else 0.0


@jit
def _to_round(
    row: np.ndarray, x: float, y: float, z: float
) -> tuple[float, float]:
    """Return a point relative to the center, with the deformation undone."""
    qx = x - row[CX] - row[SX] * (z - row[Z0])
    qy = y - row[CY] - row[SY] * (z - row[Z0])
    if row[SQUEEZE] == 0:
        return qx, qy
    e = squeeze_at(row, z)
    u = (row[COS] * qx + row[SIN] * qy) / (1 + e)
    v = (row[COS] * qy - row[SIN] * qx) / (1 - e)
    return row[COS] * u - row[SIN] * v, row[SIN] * u + row[COS] * v


@jit
def _excess(
    r: float, row: np.ndarray, o: Vector, d: Vector, t: float
) -> float:
    """Return how far a ray is outside a deformed segment; negative inside."""
    x, y = _to_round(row, o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2])
    return x * x + y * y - r * r


@jit
def _deformed_exit(
    r: float,
    row: np.ndarray,
    o: Vector,
    d: Vector,
    q: tuple[float, float],
    e: tuple[float, float],
    start: float,
    stop: float,
) -> float:
    """Return the first exit between two ray parameters, inf if there is none.

    ``q`` and ``e`` are start and direction relative to the center line. The
    wall lies between the pipe squeezed and widened on all sides.
    """
    wide = 1 + abs(row[SQUEEZE])
    slim = 1 - abs(row[SQUEEZE])
    low = max(arc_exit(0.0, 0.0, r * slim, q[0], q[1], *e), start)
    stop = min(arc_exit(0.0, 0.0, r * wide, q[0], q[1], *e) + 1e-9, stop)
    if low == math.inf or _excess(r, row, o, d, low) > 0:
        low = start
    step = (stop - low) / _MARCH
    below = _excess(r, row, o, d, low)
    if below > 0:
        return low
    for _ in range(_MARCH):
        high = low + step
        above = _excess(r, row, o, d, high)
        if above <= 0:
            low, below = high, above
            continue
        # False position; halving the weight of the kept end avoids stalling.
        side = 0
        for _ in range(60):
            t = (low * above - high * below) / (above - below)
            value = _excess(r, row, o, d, t)
            if abs(value) < 1e-12 or high - low < 1e-12:
                return t
            if value > 0:
                high, above = t, value
                below = below / 2 if side == 1 else below
                side = 1
            else:
                low, below = t, value
                above = above / 2 if side == -1 else above
                side = -1
        return high
    return math.inf


@jit
def pipe_exit(
    code: int,
    r: float,
    h: float,
    table: np.ndarray,
    o: Vector,
    d: Vector,
    far: float,
) -> tuple[float, int, float, float, float, bool]:
    """Follow a ray from inside the pipe to its wall.

    Args:
        code: Kind of section.
        r: Half width.
        h: Half height of a box.
        table: Table of the segments.
        o: Start of the ray.
        d: Its direction.
        far: Largest ray parameter.

    Returns:
        Ray parameter, index of the segment, outward normal (x, y, z), and
        whether an end face was met.
    """
    last = len(table) - 1
    i = 0
    while i < last and table[i + 1, Z0] <= o[2]:
        i += 1
    start = 0.0
    while True:
        row = table[i]
        stop = math.inf
        if d[2] > 0 and i < last:
            stop = (table[i + 1, Z0] - o[2]) / d[2]
        elif d[2] < 0 and i > 0:
            stop = (row[Z0] - o[2]) / d[2]
        qx = o[0] - row[CX] - row[SX] * (o[2] - row[Z0])
        qy = o[1] - row[CY] - row[SY] * (o[2] - row[Z0])
        ex, ey = d[0] - row[SX] * d[2], d[1] - row[SY] * d[2]
        if row[SQUEEZE] != 0:
            # Only rays through the deformed stretch have to be searched.
            first, end = start, min(stop, far)
            if d[2] != 0:
                one = (row[MIDDLE] - row[REACH] - o[2]) / d[2]
                other = (row[MIDDLE] + row[REACH] - o[2]) / d[2]
                first = max(first, min(one, other))
                end = min(end, max(one, other))
            plain, _, _ = section_exit(code, r, h, qx, qy, ex, ey)
            t = math.inf
            if plain > first and first < end:
                t = _deformed_exit(
                    r, row, o, d, (qx, qy), (ex, ey), first, end
                )
            if t < math.inf:
                z = o[2] + t * d[2]
                e = squeeze_at(row, z)
                x, y = qx + t * ex, qy + t * ey
                u = (row[COS] * x + row[SIN] * y) / (1 + e) ** 2
                v = (row[COS] * y - row[SIN] * x) / (1 - e) ** 2
                nx = row[COS] * u - row[SIN] * v
                ny = row[SIN] * u + row[COS] * v
                # Along the pipe, the wall is inclined by the slope of the
                # squeeze.
                step = 1e-4
                rise = (squeeze_at(row, z + step) - e) / step
                u0 = (row[COS] * x + row[SIN] * y) / (1 + e)
                v0 = (row[COS] * y - row[SIN] * x) / (1 - e)
                lean = -(u0 * u0) * rise / (1 + e) + v0 * v0 * rise / (1 - e)
                nz = lean - nx * row[SX] - ny * row[SY]
                size = math.sqrt(nx * nx + ny * ny + nz * nz)
                return t, i, nx / size, ny / size, nz / size, False
        t, nx, ny = section_exit(code, r, h, qx, qy, ex, ey)
        # A ray that is already past the wall stops at the joint.
        t = max(t, start)
        if t <= stop:
            t = min(t, far)
            nz = -(nx * row[SX] + ny * row[SY])
            size = math.sqrt(1 + nz * nz)
            return t, i, nx / size, ny / size, nz / size, False
        if stop >= far:
            return far, i, 0.0, 0.0, math.copysign(1.0, d[2]), False
        i += 1 if d[2] > 0 else -1
        x, y = o[0] + stop * d[0], o[1] + stop * d[1]
        x, y = _to_round(table[i], x, y, o[2] + stop * d[2])
        if not section_holds(code, r, h, x, y):
            # Rounding must not create an end face where neighbors are aligned.
            if section_holds(code, r * (1 + 1e-9), h * (1 + 1e-9), x, y):
                start = stop
                continue
            face = i if d[2] > 0 else i + 1
            return stop, face, 0.0, 0.0, math.copysign(1.0, d[2]), True
        start = stop
