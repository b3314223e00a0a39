"""Camera, pipe and water: exact ray intersections.

Axes follow OpenCV in both the world and the camera: x right, y down, z along
the pipe (along the optical axis). The pipe is a row of segments (see
`mmdsr.sim.scene.segments`); the water fills what lies below ``y = water``.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mmdsr.sim.jit import jit
from mmdsr.sim.scene.section import Vector
from mmdsr.sim.scene.segments import CX, CY, SX, SY, Z0, Segments
from mmdsr.sim.trace.follow import pipe_exit


class Camera(NamedTuple):
    """Camera of a frame.

    Attributes:
        pose: Camera-to-world matrix ``(4, 4)``, float64, meters.
        focal: Focal length in pixels.
        center: Principal point (x, y) in pixels, where the center of the
            first pixel is (0.5, 0.5).
    """

    pose: np.ndarray
    focal: float
    center: tuple[float, float]

    @property
    def matrix(self) -> np.ndarray:
        """Camera matrix ``(3, 3)``."""
        (x, y), f = self.center, self.focal
        return np.array([[f, 0, x], [0, f, y], [0, 0, 1.0]])


class Pipe(NamedTuple):
    """The geometry that rays hit, except for bodies.

    Attributes:
        section: Code, half width and half height, see
            `mmdsr.sim.scene.section`.
        segments: The row of segments.
        water: Height y of the water, meters, or None for a dry pipe.
        far: Largest depth, meters; larger depths are clipped to it.
    """

    section: tuple[int, float, float]
    segments: Segments
    water: float | None
    far: float


class Hits(NamedTuple):
    """Where the rays of a block of pixels end; arrays ``(H, W)`` float32.

    Attributes:
        depth: Distance along the optical axis to the visible surface (water
            included) in meters, clipped to the far limit.
        water: True where the water is visible.
        x, y, z: Point of the wall in world coordinates, meters; for a water
            pixel, the point of the wall mirrored in the water.
        across: The point relative to the center of its section ``(2, H,
            W)``.
        normal: Unit normal of the wall towards the inside ``(3, H, W)``.
        face: True where the point is on the end face of a segment.
        grazing: Component of the ray (unnormalized, with forward component
            one) along the outward normal of the wall.
        path: Length of the ray to the wall, measured along the optical axis.
        surface_x, surface_z: Visible point on the water (0 elsewhere).
        tilt: Downward component of the ray, whose forward component is one.
        scum: Third value of the ``ripple`` of `trace` at the water pixels, in
            their order; empty without water or ripple.
    """

    depth: np.ndarray
    water: np.ndarray
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    across: np.ndarray
    normal: np.ndarray
    face: np.ndarray
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

    Examples:
        A quarter turn to the right looks along x:

        >>> import numpy as np
        >>> from mmdsr.sim.trace.geometry import rotation
        >>> (rotation(np.pi / 2, 0, 0) @ [0, 0, 1]).round(6).tolist()
        [1.0, 0.0, 0.0]
    """
    cy, sy = np.cos(yaw), np.sin(yaw)
    cp, sp = np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_y @ about_x @ about_z


@jit
def pixel_ray(
    matrix: np.ndarray, camera: Vector, row: int, col: int
) -> Vector:
    """Return the world direction of a ray with forward component one."""
    x = (col + 0.5 - camera[1]) / camera[0]
    y = (row + 0.5 - camera[2]) / camera[0]
    return (
        matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2],
        matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2],
        matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2],
    )


@jit
def _store(
    out: np.ndarray,
    face: np.ndarray,
    at: tuple[int, int],
    code: int,
    r: float,
    h: float,
    table: np.ndarray,
    o: Vector,
    d: Vector,
    far: float,
) -> float:
    """Follow one ray and write its wall point, see `trace`."""
    row, col = at
    t, i, nx, ny, nz, is_face = pipe_exit(code, r, h, table, o, d, far)
    x, y, z = o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2]
    seg = table[i]
    out[0, row, col] = t
    out[1, row, col] = x
    out[2, row, col] = y
    out[3, row, col] = z
    out[4, row, col] = x - seg[CX] - seg[SX] * (z - seg[Z0])
    out[5, row, col] = y - seg[CY] - seg[SY] * (z - seg[Z0])
    out[6, row, col] = -nx
    out[7, row, col] = -ny
    out[8, row, col] = -nz
    out[9, row, col] = nx * d[0] + ny * d[1] + nz * d[2]
    face[row, col] = is_face
    return t


@jit
def _trace_rows(
    top: int,
    camera: Vector,
    pose: np.ndarray,
    code: int,
    r: float,
    h: float,
    table: np.ndarray,
    water: float,
    far: float,
    out: np.ndarray,
    flags: np.ndarray,
) -> None:
    """Follow primary rays of a block of rows; for planes see `_store`."""
    height, width = flags.shape[1:]
    o = (pose[0, 3], pose[1, 3], pose[2, 3])
    for row in range(height):
        for col in range(width):
            d = pixel_ray(pose, camera, top + row, col)
            t = _store(out, flags[0], (row, col), code, r, h, table, o, d, far)
            out[10, row, col] = d[1]
            reach = (water - o[1]) / d[1] if d[1] > 0 else math.inf
            wet = reach < t
            flags[1, row, col] = wet
            if wet:
                out[11, row, col] = reach
                out[12, row, col] = o[0] + reach * d[0]
                out[13, row, col] = o[2] + reach * d[2]
            else:
                out[11, row, col] = t
                out[12, row, col] = 0
                out[13, row, col] = 0


@jit
def _mirror(
    top: int,
    camera: Vector,
    pose: np.ndarray,
    code: int,
    r: float,
    h: float,
    table: np.ndarray,
    water: float,
    far: float,
    out: np.ndarray,
    flags: np.ndarray,
    at: tuple[np.ndarray, np.ndarray],
    slopes: np.ndarray,
) -> None:
    """Follow the rays mirrored at the water, to first order in the slopes."""
    for k in range(len(at[0])):
        row, col = at[0][k], at[1][k]
        d = pixel_ray(pose, camera, top + row, col)
        t = out[11, row, col]
        o = (out[12, row, col], water, out[13, row, col])
        mirrored = (
            d[0] - 2 * d[1] * slopes[0, k],
            -d[1],
            d[2] - 2 * d[1] * slopes[1, k],
        )
        s = _store(
            out,
            flags[0],
            (row, col),
            code,
            r,
            h,
            table,
            o,
            mirrored,
            far,
        )
        out[0, row, col] = t + s


def trace(
    rows: slice,
    width: int,
    camera: Camera,
    pipe: Pipe,
    ripple: Callable[..., tuple] | None = None,
) -> Hits:
    """Intersect the rays of whole rows of pixels with pipe and water.

    Args:
        rows: Rows of the image.
        width: Width of the image.
        camera: The camera, in the pipe and above the water.
        pipe: What it looks at.
        ripple: Function of (x, z) on the water and the ray parameter that
            returns the slopes of the surface along x and z and the scum. The
            slopes bend mirrored rays only, so the depth is that of still
            water.

    Returns:
        The hits.
    """
    shape = (rows.stop - rows.start, width)
    out = np.empty((14, *shape))
    flags = np.empty((2, *shape), np.bool_)
    code, r, h = pipe.section
    water = math.inf if pipe.water is None else pipe.water
    lens = (camera.focal, *camera.center)
    known = (lens, camera.pose, code, r, h, pipe.segments.table, water)
    _trace_rows(rows.start, *known, pipe.far, out, flags)
    scum = np.zeros(0, np.float32)
    wet = flags[1]
    if wet.any():
        at = np.nonzero(wet)
        slopes = np.zeros((2, len(at[0])))
        if ripple is not None:
            t, x, z = out[11:14, at[0], at[1]]
            slopes[0], slopes[1], scum = ripple(x, z, t)
        _mirror(
            rows.start, *known, pipe.far, out, flags, (at[0], at[1]), slopes
        )
    single = out.astype(np.float32)
    return Hits(
        depth=single[11],
        water=wet,
        x=single[1],
        y=single[2],
        z=single[3],
        across=single[4:6],
        normal=single[6:9],
        face=flags[0],
        grazing=single[9],
        path=single[0],
        surface_x=single[12],
        surface_z=single[13],
        tilt=single[10],
        scum=scum,
    )
