"""From the hits of a frame to linear light."""

from typing import NamedTuple

import cv2
import numpy as np

from mmdsr.sim.scene.defects import Defect
from mmdsr.sim.scene.scene import Scene
from mmdsr.sim.shade.decals import Decal, apply_decals
from mmdsr.sim.shade.light import (
    FACE_SHADE,
    Looks,
    Ripples,
    Surface,
    beam,
    ramp,
)
from mmdsr.sim.shade.wall import Wall
from mmdsr.sim.trace.bodies import Bodies, BodyHits, trace_bodies
from mmdsr.sim.trace.geometry import Camera, Hits, Pipe, trace

_F = np.float32
_ROWS = 64  # rows per block: the arrays of a block stay in the cache
# Shares of a pixel that a body must cover to determine its depth, and to make
# it part of a defect. The second is lower, as a spray of water is visible
# although it is transparent.
_SOLID, _SHOWN = 0.5, 0.2


def _pick(
    at: tuple[np.ndarray, ...], chosen: np.ndarray
) -> tuple[np.ndarray, ...]:
    return tuple(index[chosen] for index in at)


class World(NamedTuple):
    """Everything that the camera of a run may see.

    Attributes:
        scene: Parameters of the run.
        wall: Textures of the wall.
        looks: Dirt.
        pipe: Wall and water.
        bodies: What is in the pipe.
        decals: Defects in the wall.
        defects: All defects.
        table: Share of the perimeter by angle, None for a circle.
        perimeter: Meters around the pipe.
    """

    scene: Scene
    wall: Wall
    looks: Looks
    pipe: Pipe
    bodies: Bodies
    decals: tuple[Decal, ...]
    defects: tuple[Defect, ...]
    table: np.ndarray | None
    perimeter: float


class Rendered(NamedTuple):
    """A rendered frame.

    Attributes:
        light: Linear RGB ``(H, W, 3)`` of arbitrary scale, float32.
        depth: Meters ``(H, W)``, float32.
        defect: Number of the defect that a pixel shows ``(H, W)``, uint8, 0
            for none.
    """

    light: np.ndarray
    depth: np.ndarray
    defect: np.ndarray


def illuminate(
    scene: Scene,
    surface: Surface,
    hits: Hits,
    lamp: np.ndarray,
    profile: np.ndarray,
) -> np.ndarray:
    """Return the light sent back by the wall's points.

    The light of the lamp falls off with the inverse square of the distance and
    with the cosine to the normal of the relief. A share of it arrives
    indirectly from the other walls; this part falls off more slowly and is
    independent of the normal.

    Args:
        scene: The run.
        surface: Reflectance and relief of the points.
        hits: The points.
        lamp: World position of the lamp, meters.
        profile: Beam brightness ``(H, W)``.

    Returns:
        Linear RGB ``(3, H, W)``.
    """
    lx, ly, lz = (_F(value) for value in lamp)
    radius = _F(scene.radius)
    dx, dy, dz = lx - hits.x, ly - hits.y, lz - hits.z
    square = dx * dx
    square += dy * dy
    square += dz * dz
    # Along the inward normal, along the axis, around the pipe.
    nx, ny, nz = hits.normal
    inward = nx * dx
    inward += ny * dy
    inward += nz * dz
    np.maximum(inward, 0, out=inward)
    turning = ny * dx
    turning -= nx * dy
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
        lamp: World position of the lamp, meters.
        profile: Beam brightness ``(H, W)``.
        focal: Focal length in pixels.
    """
    at = np.nonzero(hits.water)
    dx = hits.surface_x[at] - _F(lamp[0])
    dy = _F(scene.water - lamp[1])
    dz = hits.surface_z[at] - _F(lamp[2])
    square = dx * dx + dy * dy + dz * dz
    reach = hits.depth[at]
    # Schlick's law; the path of the ray has two parts.
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


def mark_joints(
    world: World, surface: Surface, hits: Hits, owners: np.ndarray
) -> None:
    """Open the displaced joints, and mark them and deformed stretches.

    Args:
        world: The run; the wall next to a joint and its visible end face
            belong to the joint's defect.
        surface: Reflectance of the points; changed in place.
        hits: The points.
        owners: Defect shown by each pixel; changed in place.
    """
    dry = ~hits.water
    for number, defect in enumerate(world.defects, 1):
        if defect.kind not in ('FS', 'DE'):
            continue
        away = np.abs(hits.z - _F(defect.z))
        if defect.kind == 'DE':
            # Where the squeeze is at least half of its maximum.
            owners[(away < 0.54 * defect.length / 2) & dry] = number
            continue
        gap = 0.3 * defect.length + 0.02 * defect.severity
        open_ = ramp(_F(gap) - away, surface.edge)
        # The protruding edge of the gap catches the light.
        lip = hits.face & (away < 1e-3)
        surface.color *= _F(1) - _F(0.9) * np.where(lip, 0, open_)
        surface.color[:, lip] *= _F(0.8 / (1 - FACE_SHADE))
        reach = _F(gap + 0.01 + 0.06 * world.scene.radius)
        owners[(away < reach) & dry] = number


def shade_bodies(
    world: World,
    found: BodyHits,
    camera: Camera,
    top: int,
    lamp: np.ndarray,
    profile: np.ndarray,
) -> np.ndarray:
    """Return the light sent back by bodies.

    Args:
        world: The run.
        found: Pixels that show bodies.
        camera: The camera.
        top: First row of the block.
        lamp: World position of the lamp, meters.
        profile: Beam brightness ``(H, W)`` of the block.

    Returns:
        Linear RGB ``(3, N)``.
    """
    rows, columns = found.at
    x = (columns + 0.5 - camera.center[0]) / camera.focal
    y = (rows + top + 0.5 - camera.center[1]) / camera.focal
    ray = camera.pose[:3, :3] @ np.stack([x, y, np.ones_like(x)])
    point = (camera.pose[:3, 3:] + ray * found.depth).astype(np.float32)
    look = world.bodies.look[found.body]
    normal = found.normal.copy()
    # The fine texture of the wall, projected along the axis closest to the
    # normal.
    flat = np.argmax(np.abs(normal), 0)
    pick = np.arange(len(flat))
    u = point[(flat + 1) % 3, pick] * _F(3 / world.wall.detail_period[0])
    v = point[(flat + 2) % 3, pick] * _F(3 / world.wall.detail_period[1])
    level = np.log2(
        found.depth * _F(3 / (camera.focal * world.wall.footprint))
    )
    tone, along, around = (
        plane[0]
        for plane in world.wall.detail.sample(u[None], v[None], level[None])
    )
    normal[(flat + 1) % 3, pick] -= _F(1.5) * look[:, 0] * along
    normal[(flat + 2) % 3, pick] -= _F(1.5) * look[:, 0] * around
    normal /= np.sqrt((normal * normal).sum(0))
    light = lamp.astype(np.float32)[:, None] - point
    square = (light * light).sum(0)
    cosine = np.maximum((light * normal).sum(0), 0) / np.sqrt(square)
    direct = cosine / square * profile[found.at]
    scene = world.scene
    spread = _F(scene.scatter) / (square + _F(scene.radius**2))
    # Little stray light finds its way into a lateral.
    spread *= np.where(found.inside, _F(0.25), _F(0.8))
    shine = cosine**16 / square * profile[found.at] * _F(0.3) * look[:, 1]
    direct *= np.where(found.inside, _F(0.5), _F(1))
    color = world.bodies.color[found.body].T
    color = color * np.maximum(_F(0.1), 1 + _F(1.2) * look[:, 0] * tone)
    return color * (direct + spread) + shine


def _soften_borders(
    light: np.ndarray, depth: np.ndarray, drawn: np.ndarray
) -> None:
    """Smooth the stairs where surfaces of different depth meet, in place.

    Other pixels are unchanged, as textures are already filtered.
    """
    inverse = 1 / depth
    jump: np.ndarray = np.zeros(depth.shape, np.uint8)
    for axis in (0, 1):
        step = np.abs(np.diff(inverse, axis=axis))
        a = [slice(None)] * 2
        a[axis] = slice(1, None)
        b = [slice(None)] * 2
        b[axis] = slice(None, -1)
        # The depth of a wall seen at a slant also changes in steps.
        edge = step > 0.04 * np.maximum(inverse[tuple(a)], inverse[tuple(b)])
        jump[tuple(a)] |= edge
        jump[tuple(b)] |= edge
    jump |= cv2.morphologyEx(
        drawn, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)
    )
    at = np.nonzero(jump)
    if len(at[0]):
        soft = cv2.GaussianBlur(light, (3, 3), 0.7)
        light[at] = soft[at]


def render(
    world: World, ripples: Ripples, camera: Camera, size: tuple[int, int]
) -> Rendered:
    """Render a frame.

    Args:
        world: The run.
        ripples: The water's surface in this frame.
        camera: The camera.
        size: Width and height.

    Returns:
        The frame.
    """
    width, height = size
    scene = world.scene
    light = np.empty((height, width, 3), np.float32)
    depth = np.empty((height, width), np.float32)
    owners = np.zeros((height, width), np.uint8)
    drawn = np.zeros((height, width), np.uint8)
    lamp = camera.pose[:3, 3] + camera.pose[:3, :3] @ (*scene.lamp_offset, 0)
    tan_x = ((np.arange(width) + 0.5 - camera.center[0]) / camera.focal)[None]
    for top in range(0, height, _ROWS):
        rows = slice(top, min(top + _ROWS, height))
        hits = trace(rows, width, camera, world.pipe, ripples)
        tan_y = np.arange(rows.start, rows.stop) + 0.5 - camera.center[1]
        profile = beam(scene, tan_x, (tan_y / camera.focal)[:, None])
        surface = Surface(
            scene,
            world.wall,
            world.looks,
            hits,
            1 / camera.focal,
            world.table,
        )
        own = owners[rows]
        mark_joints(world, surface, hits, own)
        apply_decals(world.decals, surface, hits, world.perimeter, own)
        block = illuminate(scene, surface, hits, lamp, profile)
        if hits.water.any():
            add_water(
                scene, world.looks, hits, block, lamp, profile, camera.focal
            )
        near = hits.depth
        found = trace_bodies(rows, width, camera, world.bodies, hits)
        if found is not None:
            body = shade_bodies(world, found, camera, top, lamp, profile)
            behind = block[:, found.at[0], found.at[1]]
            block[:, found.at[0], found.at[1]] = behind + found.cover * (
                body - behind
            )
            which = found.body
            shown = _pick(found.at, found.cover >= _SHOWN)
            own[shown] = world.bodies.owner[which[found.cover >= _SHOWN]]
            solid = found.cover >= _SOLID
            at = _pick(found.at, solid)
            near[at] = np.minimum(found.depth[solid], world.pipe.far)
            drawn[rows][at] = which[solid] % 254 + 1
        if scene.haze > 0:
            clear = np.exp(near * _F(-scene.haze))
            block *= clear
            block += (1 - clear) * _F(scene.haze_glow)
        block *= scene.light_color[:, None, None]
        cv2.merge(tuple(block), light[rows])
        depth[rows] = near
    _soften_borders(light, depth, drawn)
    return Rendered(light, depth, owners)
