"""Bodies in the pipe: exact ray intersections with four simple shapes.

Everything that stands out from the wall or hangs in front of it is made of
ellipsoids, boxes, capsules and tubes. A tube is a lateral pipe. From inside
the main pipe, its outside and its rim are visible, and through its opening its
inside, which lies behind the wall of the main pipe.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmdsr.sim.jit import jit
from mmdsr.sim.scene.section import Vector
from mmdsr.sim.trace.geometry import Camera, Hits, pixel_ray

Shape = tuple[np.ndarray, np.ndarray]
"""Rows for `Bodies.table` and `Bodies.sphere`."""

ELLIPSOID, BOX, CAPSULE, TUBE = 0, 1, 2, 3
NEAR = 0.02
"""Bodies nearer to the camera than this are not drawn, in meters."""


class Bodies(NamedTuple):
    """Bodies of a run, N of them.

    Attributes:
        table: Float64 ``(N, 14)``: the shape's code; then, for ellipsoid
            and box, center and the matrix (by rows) that takes an offset
            from it to the unit sphere or cube; for a capsule its two ends
            and radius; for a tube a point of its axis, the axis outwards,
            inner and outer radius, and the lengths along the axis from that
            point to the open end and to the dark end. A tube whose radii
            are equal is flush with the wall.
        sphere: Bounding spheres ``(N, 4)``, center and radius.
        color: Linear RGB reflectance ``(N, 3)``.
        look: Roughness of the surface and strength of highlights
            ``(N, 2)``.
        opacity: Share of the light from behind that is blocked ``(N,)``.
        owner: Number of the defect it belongs to, 1 and up, 0 for none.
    """

    table: np.ndarray
    sphere: np.ndarray
    color: np.ndarray
    look: np.ndarray
    opacity: np.ndarray
    owner: np.ndarray


class BodyHits(NamedTuple):
    """Pixels of a block that show a body, N of them.

    Attributes:
        at: Rows and columns in the block.
        depth: Depth in meters, float32.
        body: Index of the body.
        normal: Unit normal towards the camera's side ``(3, N)``, float32.
        cover: Share of the pixel that is covered.
        inside: True where the inside of a tube is visible.
    """

    at: tuple[np.ndarray, np.ndarray]
    depth: np.ndarray
    body: np.ndarray
    normal: np.ndarray
    cover: np.ndarray
    inside: np.ndarray


def _row(
    code: int,
    data: Sequence[float],
    center: Sequence[float] | np.ndarray,
    radius: float,
) -> Shape:
    row = np.zeros(14)
    row[0] = code
    row[1 : 1 + len(data)] = data
    return row, np.array([*center, radius])


def ellipsoid(
    center: Sequence[float] | np.ndarray,
    axes: np.ndarray,
    radii: Sequence[float] | np.ndarray,
) -> Shape:
    """Return the row and bounding sphere of an ellipsoid.

    Args:
        center: World position ``(3,)``.
        axes: Unit axes as rows ``(3, 3)``.
        radii: Half axes ``(3,)``.

    Returns:
        Rows for `Bodies.table` and `Bodies.sphere`.
    """
    matrix = np.asarray(axes) / np.asarray(radii)[:, None]
    return _row(ELLIPSOID, [*center, *matrix.ravel()], center, max(radii))


def box(
    center: Sequence[float] | np.ndarray,
    axes: np.ndarray,
    halves: Sequence[float] | np.ndarray,
) -> Shape:
    """Row and bounding sphere of a box; arguments as for `ellipsoid`."""
    matrix = np.asarray(axes) / np.asarray(halves)[:, None]
    reach = float(np.linalg.norm(halves))
    return _row(BOX, [*center, *matrix.ravel()], center, reach)


def capsule(start: np.ndarray, stop: np.ndarray, radius: float) -> Shape:
    """Row and bounding sphere of a capsule between two world positions."""
    start, stop = np.asarray(start), np.asarray(stop)
    reach = float(np.linalg.norm(stop - start)) / 2 + radius
    return _row(CAPSULE, [*start, *stop, radius], (start + stop) / 2, reach)


def tube(
    foot: np.ndarray,
    axis: np.ndarray,
    inner: float,
    outer: float,
    open_end: float,
    dark_end: float,
    wall: float,
) -> Shape:
    """Return the row and bounding sphere of a lateral pipe.

    Args:
        foot: World position of a point of its axis.
        axis: Unit direction outwards.
        inner: Inner radius.
        outer: Outer radius; equal to the inner one if flush.
        open_end: Length along the axis from the foot to the opening.
        dark_end: Length along the axis from the foot to the end of its inside.
        wall: Length along the axis from the foot to the wall of the main pipe.

    Returns:
        Rows for `Bodies.table` and `Bodies.sphere`.
    """
    foot, axis = np.asarray(foot), np.asarray(axis)
    middle = foot + axis * (open_end + wall) / 2
    # On a curved or oblique wall the opening reaches beyond the radius.
    reach = (wall - open_end) / 2 + 2.5 * outer
    data = [*foot, *axis, inner, outer, open_end, dark_end]
    return _row(TUBE, data, middle, reach)


@jit
def _unit_shape(
    row: np.ndarray, o: Vector, d: Vector
) -> tuple[float, float, float, float]:
    """Return the nearest hit ahead of an ellipsoid or box, and its normal."""
    px, py, pz = o[0] - row[1], o[1] - row[2], o[2] - row[3]
    ox = row[4] * px + row[5] * py + row[6] * pz
    oy = row[7] * px + row[8] * py + row[9] * pz
    oz = row[10] * px + row[11] * py + row[12] * pz
    dx = row[4] * d[0] + row[5] * d[1] + row[6] * d[2]
    dy = row[7] * d[0] + row[8] * d[1] + row[9] * d[2]
    dz = row[10] * d[0] + row[11] * d[1] + row[12] * d[2]
    if row[0] == ELLIPSOID:
        a = dx * dx + dy * dy + dz * dz
        b = ox * dx + oy * dy + oz * dz
        c = ox * ox + oy * oy + oz * oz - 1
        square = b * b - a * c
        if square < 0:
            return math.inf, 0.0, 0.0, 0.0
        t = (-b - math.sqrt(square)) / a
        nx, ny, nz = ox + t * dx, oy + t * dy, oz + t * dz
    else:
        t, leave, axis = -math.inf, math.inf, 0
        for k in range(3):
            p = ox if k == 0 else (oy if k == 1 else oz)
            v = dx if k == 0 else (dy if k == 1 else dz)
            if v == 0:
                if abs(p) > 1:
                    return math.inf, 0.0, 0.0, 0.0
                continue
            enter = (-math.copysign(1.0, v) - p) / v
            if enter > t:
                t, axis = enter, k
            leave = min(leave, (math.copysign(1.0, v) - p) / v)
        if t > leave:
            return math.inf, 0.0, 0.0, 0.0
        nx = -math.copysign(1.0, dx) if axis == 0 else 0.0
        ny = -math.copysign(1.0, dy) if axis == 1 else 0.0
        nz = -math.copysign(1.0, dz) if axis == 2 else 0.0
    # Normals transform by the transpose of the matrix.
    wx = row[4] * nx + row[7] * ny + row[10] * nz
    wy = row[5] * nx + row[8] * ny + row[11] * nz
    wz = row[6] * nx + row[9] * ny + row[12] * nz
    return t, wx, wy, wz


@jit
def _ball(
    cx: float, cy: float, cz: float, r: float, o: Vector, d: Vector
) -> tuple[float, float, float, float]:
    """Return the first hit of a sphere, and the normal."""
    px, py, pz = o[0] - cx, o[1] - cy, o[2] - cz
    a = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
    b = px * d[0] + py * d[1] + pz * d[2]
    c = px * px + py * py + pz * pz - r * r
    square = b * b - a * c
    if square < 0:
        return math.inf, 0.0, 0.0, 0.0
    t = (-b - math.sqrt(square)) / a
    return t, px + t * d[0], py + t * d[1], pz + t * d[2]


@jit
def _capsule_hit(
    row: np.ndarray, r: float, o: Vector, d: Vector
) -> tuple[float, float, float, float]:
    """Return the first hit of a capsule of radius r, and the normal."""
    wx, wy, wz = row[4] - row[1], row[5] - row[2], row[6] - row[3]
    length = math.sqrt(wx * wx + wy * wy + wz * wz)
    wx, wy, wz = wx / length, wy / length, wz / length
    px, py, pz = o[0] - row[1], o[1] - row[2], o[2] - row[3]
    pw = px * wx + py * wy + pz * wz
    dw = d[0] * wx + d[1] * wy + d[2] * wz
    qx, qy, qz = px - pw * wx, py - pw * wy, pz - pw * wz
    ex, ey, ez = d[0] - dw * wx, d[1] - dw * wy, d[2] - dw * wz
    a = ex * ex + ey * ey + ez * ez
    b = qx * ex + qy * ey + qz * ez
    c = qx * qx + qy * qy + qz * qz - r * r
    square = b * b - a * c
    if square < 0:
        return math.inf, 0.0, 0.0, 0.0
    t = (-b - math.sqrt(square)) / max(a, 1e-30)
    s = pw + t * dw
    if s < 0:
        return _ball(row[1], row[2], row[3], r, o, d)
    if s > length:
        return _ball(row[4], row[5], row[6], r, o, d)
    return t, qx + t * ex, qy + t * ey, qz + t * ez


@jit
def _tube_hit(
    row: np.ndarray, o: Vector, d: Vector, wall: float
) -> tuple[float, float, float, float, bool]:
    """Return the first hit of a tube, its normal, and whether it is inside.

    ``wall`` is the ray parameter at the wall of the main pipe.
    """
    ux, uy, uz = row[4], row[5], row[6]
    inner, outer, open_end, dark_end = row[7], row[8], row[9], row[10]
    px, py, pz = o[0] - row[1], o[1] - row[2], o[2] - row[3]
    pu = px * ux + py * uy + pz * uz
    du = d[0] * ux + d[1] * uy + d[2] * uz
    qx, qy, qz = px - pu * ux, py - pu * uy, pz - pu * uz
    ex, ey, ez = d[0] - du * ux, d[1] - du * uy, d[2] - du * uz
    a = max(ex * ex + ey * ey + ez * ez, 1e-30)
    b = qx * ex + qy * ey + qz * ez
    c = qx * qx + qy * qy + qz * qz
    flush = outer <= inner
    best, nx, ny, nz = math.inf, 0.0, 0.0, 0.0
    if not flush:
        square = b * b - a * (c - outer * outer)
        if square > 0:
            t = (-b - math.sqrt(square)) / a
            if t > NEAR and pu + t * du >= open_end and t < wall:
                best = t
                nx, ny, nz = qx + t * ex, qy + t * ey, qz + t * ez
    if du > 0:
        gate = wall if flush else (open_end - pu) / du
        if NEAR < gate <= wall and gate < best:
            x, y, z = qx + gate * ex, qy + gate * ey, qz + gate * ez
            square = x * x + y * y + z * z
            if square < inner * inner:
                if flush and pu + gate * du <= 0:
                    return math.inf, 0.0, 0.0, 0.0, False
                root = math.sqrt(max(b * b - a * (c - inner * inner), 0.0))
                t = min((root - b) / a, (dark_end - pu) / du)
                x, y, z = qx + t * ex, qy + t * ey, qz + t * ez
                return t, -x, -y, -z, True
            if not flush and square <= outer * outer:
                return gate, -ux, -uy, -uz, False
    return best, nx, ny, nz, False


@jit
def _draw(
    top: int,
    camera: Vector,
    pose: np.ndarray,
    table: np.ndarray,
    chosen: np.ndarray,
    windows: np.ndarray,
    sphere: np.ndarray,
    visible: np.ndarray,
    wet: np.ndarray,
    depth: np.ndarray,
    body: np.ndarray,
    normal: np.ndarray,
    cover: np.ndarray,
    inside: np.ndarray,
) -> None:
    """Draw bodies into the planes of a block, the nearest first."""
    o = (pose[0, 3], pose[1, 3], pose[2, 3])
    for k in range(len(chosen)):
        n = chosen[k]
        row = table[n]
        # A body thinner than a pixel is drawn a pixel wide, but fainter.
        share = 1.0
        radius = row[7]
        if row[0] == CAPSULE:
            least = 0.6 * sphere[k] / camera[0]
            if radius < least:
                share, radius = radius / least, least
        for i in range(windows[k, 0], windows[k, 1]):
            for j in range(windows[k, 2], windows[k, 3]):
                d = pixel_ray(pose, camera, top + i, j)
                is_inside = False
                if row[0] == CAPSULE:
                    t, nx, ny, nz = _capsule_hit(row, radius, o, d)
                elif row[0] == TUBE:
                    if wet[i, j] and row[8] <= row[7]:
                        continue
                    t, nx, ny, nz, is_inside = _tube_hit(
                        row, o, d, visible[i, j]
                    )
                else:
                    t, nx, ny, nz = _unit_shape(row, o, d)
                if t <= NEAR or t >= depth[i, j]:
                    continue
                if t >= visible[i, j] and not is_inside:
                    continue
                depth[i, j] = t
                body[i, j] = n
                size = math.sqrt(nx * nx + ny * ny + nz * nz)
                normal[0, i, j] = nx / size
                normal[1, i, j] = ny / size
                normal[2, i, j] = nz / size
                cover[i, j] = share
                inside[i, j] = is_inside


def _windows(
    bodies: Bodies, rows: slice, width: int, camera: Camera
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Yield the bodies that may be visible in a block, and their windows."""
    turn, origin = camera.pose[:3, :3], camera.pose[:3, 3]
    center = (bodies.sphere[:, :3] - origin) @ turn
    radius = bodies.sphere[:, 3]
    near, far = center[:, 2] - radius, center[:, 2] + radius
    around = near <= 2 * NEAR  # The camera may be inside the sphere.
    seen = (far > NEAR) & (radius * camera.focal > 0.1 * center[:, 2])
    limits = []
    for axis in (1, 0):
        ends = np.stack([center[:, axis] - radius, center[:, axis] + radius])
        nearest = np.maximum(near, NEAR)
        low = np.minimum(ends[0] / nearest, ends[0] / np.maximum(far, NEAR))
        high = np.maximum(ends[1] / nearest, ends[1] / np.maximum(far, NEAR))
        middle = camera.center[axis]
        start = np.where(around, -np.inf, low * camera.focal + middle)
        stop = np.where(around, np.inf, high * camera.focal + middle)
        if axis:
            first, size = rows.start, rows.stop - rows.start
        else:
            first, size = 0, width
        limits.append(np.clip(start - first - 1, 0, size))
        limits.append(np.clip(stop - first + 2, 0, size))
    windows = np.stack(limits, -1).astype(np.int64)
    seen &= windows[:, 1] > windows[:, 0]
    seen &= windows[:, 3] > windows[:, 2]
    chosen = np.nonzero(seen)[0]
    return chosen, windows[chosen], np.maximum(center[chosen, 2], NEAR)


def trace_bodies(
    rows: slice, width: int, camera: Camera, bodies: Bodies, hits: Hits
) -> BodyHits | None:
    """Find the pixels of a block that show bodies.

    Args:
        rows: Rows of the image.
        width: Width of the image.
        camera: The camera.
        bodies: The bodies.
        hits: Hits of the rays without bodies.

    Returns:
        The nearest body of each pixel that shows one; None if no pixel does.
    """
    chosen, windows, distance = _windows(bodies, rows, width, camera)
    if not len(chosen):
        return None
    shape = hits.depth.shape
    depth = np.full(shape, np.inf, np.float32)
    body = np.full(shape, -1, np.int64)
    normal = np.zeros((3, *shape), np.float32)
    cover = np.ones(shape, np.float32)
    inside = np.zeros(shape, np.bool_)
    _draw(
        rows.start,
        (camera.focal, *camera.center),
        camera.pose,
        bodies.table,
        chosen,
        windows,
        distance,
        hits.depth,
        hits.water,
        depth,
        body,
        normal,
        cover,
        inside,
    )
    at = np.nonzero(body >= 0)
    if not len(at[0]):
        return None
    which = body[at]
    return BodyHits(
        at=(at[0], at[1]),
        depth=depth[at],
        body=which,
        normal=normal[:, at[0], at[1]],
        cover=cover[at] * bodies.opacity[which].astype(np.float32),
        inside=inside[at],
    )
