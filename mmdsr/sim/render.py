"""From the hits of a frame to linear light."""

import cv2
import numpy as np

from mmdsr.sim.geometry import Hits, pixel_rays, trace
from mmdsr.sim.scene import Scene
from mmdsr.sim.shade import Looks, Ripples, Surface, beam, ramp
from mmdsr.sim.wall import Wall

_F = np.float32
_ROWS = 64  # rows per block: the arrays of a block stay in the cache


def illuminate(
    scene: Scene,
    surface: Surface,
    hits: Hits,
    lamp: np.ndarray,
    profile: np.ndarray,
) -> np.ndarray:
    """Light sent back by the wall's points.

    The lamp's light falls off with the inverse square of the distance and
    with the cosine to the relief's normal; a share of it arrives by way of
    the other walls, which falls off more slowly and knows no normal.

    Args:
        scene: The run.
        surface: Reflectance and relief of the points.
        hits: The points.
        lamp: World position of the lamp, metres.
        profile: Beam brightness ``(H, W)``.

    Returns:
        Linear RGB ``(3, H, W)``.
    """
    lx, ly, lz = (_F(value) for value in lamp)
    radius = _F(scene.radius)
    dz = lz - hits.z
    square = (lx - hits.x) ** 2
    square += (ly - hits.y) ** 2
    square += dz * dz
    # Along the inward normal, along the axis, around the pipe.
    inward = radius - (hits.x * lx + hits.y * ly) / radius
    turning = (hits.x * ly - hits.y * lx) / radius
    facing = inward - surface.along * dz
    facing -= surface.around * turning
    np.maximum(facing, 0, out=facing)
    inverse = _F(1) / square
    distance = np.sqrt(square)
    cosine = facing / distance
    direct = cosine * inverse
    direct *= profile
    gloss = _F(scene.gloss) * (_F(0.3) + surface.wet)
    shine = cosine * cosine
    shine *= shine
    shine *= shine
    shine *= inverse
    shine *= profile
    shine *= gloss
    # Diffuse light between the walls decays over a few radii.
    spread = _F(scene.scatter) / (square + radius * radius)
    shape = facing / np.maximum(inward, _F(1e-3))
    spread *= _F(0.5) + _F(0.5) * np.minimum(shape, 2)
    direct += spread
    out = surface.color
    out *= direct
    out += shine
    return out


def add_water(
    scene: Scene,
    looks: Looks,
    hits: Hits,
    light: np.ndarray,
    lamp: np.ndarray,
    profile: np.ndarray,
    focal: float,
) -> None:
    """Turn mirrored wall into water, in place.

    Args:
        scene: The run.
        looks: Dirt of the run.
        hits: The points.
        light: Linear RGB ``(3, H, W)`` of the (mirrored) wall.
        lamp: World position of the lamp, metres.
        profile: Beam brightness ``(H, W)``.
        focal: Focal length in pixels.
    """
    at = np.nonzero(hits.water)
    dx = hits.surface_x[at] - _F(lamp[0])
    dy = _F(scene.water - lamp[1])
    dz = hits.surface_z[at] - _F(lamp[2])
    square = dx * dx + dy * dy + dz * dz
    reach = hits.depth[at]
    # Schlick's law; the ray's length follows from its two parts.
    length = np.sqrt(np.maximum(square, reach * reach))
    cosine = np.clip(hits.tilt[at] * reach / length, 0, 1)
    mirror = _F(0.02) + _F(0.98) * (1 - cosine) ** 5
    body = profile[at] * dy / (square * np.sqrt(square))
    body += _F(scene.scatter) / (square + _F(scene.radius**2))
    floating = ramp(hits.scum, _F(0.1) + _F(8.0) * reach / focal)
    mirror *= _F(1) - floating
    for plane, color, float_color in zip(
        light, looks.water_color, looks.scum_color, strict=True
    ):
        paint = color + floating * (float_color - color)
        plane[at] = plane[at] * mirror + body * paint


def render(
    scene: Scene,
    wall: Wall,
    looks: Looks,
    ripples: Ripples,
    pose: np.ndarray,
    size: tuple[int, int],
    far: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Render a frame.

    Args:
        scene: The run.
        wall: Its textures.
        looks: Its dirt.
        ripples: The water's surface in this frame.
        pose: Camera-to-world matrix.
        size: Width and height.
        far: Largest depth in metres.

    Returns:
        Linear RGB ``(H, W, 3)`` of arbitrary scale, and depth ``(H, W)`` in
        metres, both float32.
    """
    width, height = size
    focal = width / 2 / np.tan(scene.hfov / 2)
    light = np.empty((height, width, 3), np.float32)
    depth = np.empty((height, width), np.float32)
    lamp = pose[:3, 3] + pose[:3, :3] @ (*scene.lamp_offset, 0)
    tan_x = ((np.arange(width) + 0.5 - width / 2) / focal)[None]
    for top in range(0, height, _ROWS):
        rows = slice(top, min(top + _ROWS, height))
        rays = pixel_rays(rows, size, focal, pose)
        hits = trace(
            rays, pose[:3, 3], scene.radius, scene.water, far, ripples
        )
        tan_y = (np.arange(rows.start, rows.stop) + 0.5 - height / 2) / focal
        profile = beam(scene, tan_x, tan_y[:, None])
        surface = Surface(scene, wall, looks, hits, 1 / focal)
        block = illuminate(scene, surface, hits, lamp, profile)
        if hits.water.any():
            add_water(scene, looks, hits, block, lamp, profile, focal)
        if scene.haze > 0:
            clear = np.exp(hits.depth * _F(-scene.haze))
            block *= clear
            block += (1 - clear) * _F(scene.haze_glow)
        block *= scene.light_color[:, None, None]
        cv2.merge(tuple(block), light[rows])
        depth[rows] = hits.depth
    return light, depth
