"""Camera, pipe and water: exact ray intersections.

Axes follow OpenCV, for the world as for the camera: x right, y down, z
along the pipe (along the optical axis). The pipe is the cylinder
``x^2 + y^2 = radius^2``; the water fills what lies below ``y = water``.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Hits(NamedTuple):
    """Where the rays of a block of pixels end.

    Attributes:
        depth: Distance along the optical axis in metres ``(H, W)``, float32,
            of the visible surface (water included), cut at the far limit.
        water: True where the water is seen.
        x, y, z: Point of the wall in world metres, float32; for a water
            pixel the point of the wall seen mirrored in the water.
        grazing: Component of the (unnormalised, forward length one) ray
            along the wall's outward normal.
        path: Length travelled, in units of the optical axis, to the wall.
        surface_x, surface_z: Visible point on the water (garbage
            elsewhere), float32.
        tilt: Downward component of the ray, forward length one.
        scum: Third value of `trace`'s ripple at the water's pixels, in their
            order; empty without water or ripple.
    """

    depth: np.ndarray
    water: np.ndarray
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    grazing: np.ndarray
    path: np.ndarray
    surface_x: np.ndarray
    surface_z: np.ndarray
    tilt: np.ndarray
    scum: np.ndarray


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Camera-to-world rotation from three angles in radians.

    Positive yaw looks right, positive pitch looks up, positive roll turns
    the camera clockwise about its optical axis (applied first).
    """
    cy, sy = np.cos(yaw), np.sin(yaw)
    cp, sp = np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_y @ about_x @ about_z


def pixel_rays(
    rows: slice, size: tuple[int, int], focal: float, pose: np.ndarray
) -> np.ndarray:
    """World directions of the rays of whole rows of pixels.

    Args:
        rows: Rows of the image.
        size: Width and height of the image.
        focal: Focal length in pixels; the principal point is the centre.
        pose: Camera-to-world matrix ``(4, 4)``.

    Returns:
        Float64 ``(3, H, W)``, the component along the optical axis being
        one, so that a ray's parameter is the depth.
    """
    width, height = size
    x = (np.arange(width) + 0.5 - width / 2) / focal
    y = (np.arange(rows.start, rows.stop) + 0.5 - height / 2) / focal
    turn = pose[:3, :3]
    return (
        turn[:, 0, None, None] * x[None, None, :]
        + turn[:, 1, None, None] * y[None, :, None]
        + turn[:, 2, None, None]
    )


def cylinder_distance(
    origin_x: np.ndarray | float,
    origin_y: np.ndarray | float,
    dir_x: np.ndarray,
    dir_y: np.ndarray,
    radius: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Ray parameter where a ray from inside the pipe meets the wall.

    Args:
        origin_x: Start of the ray across the pipe, to the right, metres.
        origin_y: The same downwards.
        dir_x: Direction across the pipe, to the right.
        dir_y: The same downwards.
        radius: Radius of the pipe, metres.

    Returns:
        The parameter (huge for a ray along the axis), and the
        direction's component along the outward normal at the hit.
    """
    # The floor makes a ray along the axis meet the wall very far away.
    a = np.maximum(dir_x * dir_x + dir_y * dir_y, 1e-30)
    b = origin_x * dir_x + origin_y * dir_y
    c = origin_x * origin_x + origin_y * origin_y - radius * radius
    # Inside the pipe c < 0, so the discriminant is never negative.
    root = np.sqrt(np.maximum(b * b - a * c, 0))
    # Two forms of the same root; each is free of cancellation on its side.
    total = root + np.abs(b)
    ahead = b > 0
    t = np.where(ahead, -c, total) / np.where(ahead, total, a)
    return t, root / radius


def trace(
    rays: np.ndarray,
    origin: np.ndarray,
    radius: float,
    water: float | None,
    far: float,
    ripple: Callable[..., tuple] | None = None,
) -> Hits:
    """Intersect a block of rays with the pipe and the water.

    Args:
        rays: Directions ``(3, H, W)`` of `pixel_rays`.
        origin: Camera centre in world metres ``(3,)``, in the pipe and
            above the water.
        radius: Radius of the pipe, metres.
        water: Height y of the water, metres, or None for a dry pipe.
        far: Largest depth, metres. The pipe has no end: what lies beyond
            is given this depth.
        ripple: Function of the water's (x, z) and the ray's parameter that
            returns the slopes of the surface along x and z and what floats
            there. The slopes bend mirrored rays only, so the depth is that
            of still water.

    Returns:
        The hits.
    """
    dx, dy, dz = rays
    ox, oy, oz = (float(value) for value in origin)
    path, grazing = cylinder_distance(ox, oy, dx, dy, radius)
    path = np.minimum(path, far)
    depth = path
    wet = np.zeros(path.shape, bool)
    sx = sz = np.zeros(path.shape, np.float32)
    if water is not None:
        with np.errstate(divide='ignore'):
            reach = (water - oy) / dy
        wet = (dy > 0) & (reach < path)
        depth = np.where(wet, reach, path)
    x = ox + path * dx
    y = oy + path * dy
    z = oz + path * dz
    scum = np.zeros(0, np.float32)
    if wet.any():
        at = np.nonzero(wet)
        t = reach[at]
        px, pz = ox + t * dx[at], oz + t * dz[at]
        slope_x = slope_z = np.float32(0)
        if ripple is not None:
            slope_x, slope_z, scum = ripple(px, pz, t)
        # Mirror at the tilted surface, to first order in the slopes.
        down = dy[at]
        rx = dx[at] - 2 * down * slope_x
        rz = dz[at] - 2 * down * slope_z
        s, normal = cylinder_distance(px, water, rx, -down, radius)
        s = np.minimum(s, far)
        x[at], y[at], z[at] = px + s * rx, water - s * down, pz + s * rz
        path = path.copy()
        path[at], grazing[at] = t + s, normal
        sx = np.zeros(path.shape, np.float32)
        sz = sx.copy()
        sx[at], sz[at] = px, pz
    single = np.float32
    return Hits(
        depth.astype(single),
        wet,
        x.astype(single),
        y.astype(single),
        z.astype(single),
        grazing.astype(single),
        path.astype(single),
        sx,
        sz,
        dy.astype(single),
        scum,
    )
