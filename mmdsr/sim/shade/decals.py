"""Defects that lie in the wall: cracks, damage, infiltration, fittings.

A decal is a texture on a piece of the wall, in meters along and around it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from mmdsr.sim.scene.defects import Defect
from mmdsr.sim.scene.section import section_exit
from mmdsr.sim.shade.light import Surface
from mmdsr.sim.shade.noise import (
    slopes,
    spectral_noise,
    stamp_discs,
    wrap_blur,
)
from mmdsr.sim.shade.texture import MipAtlas
from mmdsr.sim.trace.geometry import Hits

Made = tuple[np.ndarray, np.ndarray, Sequence[float] | np.ndarray]
"""Paint and color, see `Decal`, and the height of the relief in texels."""

_SIDE = 512
_LEVELS = 7


class Decal(NamedTuple):
    """A texture on a piece of the wall.

    Attributes:
        owner: Number of its defect, 1 and up.
        z: Position of the center along the pipe, meters.
        share: Position of the center around the pipe, as a share of the
            perimeter.
        length: Meters along the pipe.
        extent: Meters around the pipe.
        color: Linear RGB of what covers the wall.
        paint: Channels opacity of that color, shade (0 none to 1 black),
            wetness, and how much a pixel belongs to the defect.
        relief: Channels slope along the pipe and around it.
    """

    owner: int
    z: float
    share: float
    length: float
    extent: float
    color: np.ndarray
    paint: MipAtlas
    relief: MipAtlas


def _window(
    shape: tuple[int, int] = (_SIDE, _SIDE), power: int = 4
) -> np.ndarray:
    """Return a window that falls from 1 in the middle to 0 at the border."""
    y = np.linspace(-1, 1, shape[0])[:, None]
    x = np.linspace(-1, 1, shape[1])[None]
    return ((1 - np.abs(x) ** power) * (1 - np.abs(y) ** power)).clip(0)


def _polyline(
    rng: np.random.Generator,
    start: tuple[float, float] | np.ndarray,
    heading: float,
    steps: int,
    stride: float,
    bend: float,
) -> np.ndarray:
    points, angle = [np.asarray(start, float)], heading
    for _ in range(steps):
        angle = heading + rng.normal(0, bend)
        move = stride * np.array([np.cos(angle), np.sin(angle)])
        points.append(points[-1] + move)
    return np.array(points)


def _crack_lines(
    rng: np.random.Generator, severity: float
) -> tuple[list[np.ndarray], np.ndarray]:
    """Draw cracks as polylines in pixels, x along the pipe."""
    middle = _SIDE / 2
    along = rng.random() < 0.5
    heading = 0.0 if along else np.pi / 2
    start = (24, middle) if along else (middle, 24)
    steps = 36
    stride = (_SIDE - 48) / steps
    main = _polyline(rng, start, heading, steps, stride, 0.45)
    lines = [main]
    for _ in range(rng.integers(0, 2 + int(6 * severity))):
        root = main[rng.integers(4, len(main) - 4)]
        turn = heading + rng.choice([-1, 1]) * rng.uniform(0.5, 1.4)
        length = int(rng.integers(5, 16))
        lines.append(_polyline(rng, root, turn, length, stride, 0.5))
    return lines, main


def _distance(mask: np.ndarray, texel: float) -> np.ndarray:
    """Return the distance in meters to the set pixels."""
    free = np.where(mask > 0, 0, 255).astype(np.uint8)
    return cv2.distanceTransform(free, cv2.DIST_L2, 5) * texel


def _crack(rng: np.random.Generator, defect: Defect, texel: float) -> Made:
    lines, main = _crack_lines(rng, defect.severity)
    mask = np.zeros((_SIDE, _SIDE), np.uint8)
    for line in lines:
        points = np.round(line).astype(np.int32)[:, None]
        cv2.polylines(mask, [points], False, (255,), 1)
    away = _distance(mask, texel)
    wander = spectral_noise(rng, (_SIDE, _SIDE), (4, 60), 0.6)
    width = (0.0015 + 0.004 * defect.severity) * (1 + 0.35 * wander)
    core = np.clip((width - away) / texel + 0.5, 0, 1)
    # Fines are washed out of an old crack, or lime grows along it.
    halo = np.exp(-((away / (0.006 + 0.012 * rng.random())) ** 2))
    lime = rng.random() < 0.4
    belongs = away < np.maximum(width, 0.006)
    if defect.severity > 0.6:
        # A piece of the wall has broken out at the crack.
        hole = spectral_noise(rng, (_SIDE, _SIDE), (20, 120), 1.5)
        y, x = np.mgrid[:_SIDE, :_SIDE]
        cx, cy = main[rng.integers(8, len(main) - 8)]
        round_ = np.hypot(x - cx, y - cy) * texel
        size = 0.02 + 0.1 * (defect.severity - 0.6)
        hole = np.clip((size * (1 + 0.3 * hole) - round_) / texel, 0, 1)
        core = np.maximum(core, hole)
        belongs |= hole > 0.5
    paint = np.stack(
        [
            halo * (0.6 if lime else 0.0) * (1 - core),
            np.clip(0.95 * core + 0.25 * halo * (not lime), 0, 0.95),
            0.3 * halo,
            belongs,
        ],
        -1,
    )
    height = -3 * cv2.GaussianBlur(core, (0, 0), 1.0)
    color = (0.6, 0.58, 0.5) if lime else (0.05, 0.045, 0.04)
    return paint, height, color


def _damage(rng: np.random.Generator, defect: Defect, texel: float) -> Made:
    blob = spectral_noise(rng, (_SIDE, _SIDE), (24, 300), 1.2)
    edge = 0.5 * spectral_noise(rng, (_SIDE, _SIDE), (3, 24), 0.6)
    field = 2.4 * _window(power=2) - 1.3 + 0.45 * blob + 0.3 * edge
    worn = np.clip(field * 4, 0, 1).astype(np.float32)
    stones = np.zeros((_SIDE, _SIDE), np.float32)
    for radius in ((2, 5), (4, 0.012 / texel + 6)):
        marks = stamp_discs(rng, (_SIDE, _SIDE), 900, radius)
        stones = np.maximum(stones, marks)
    height = wrap_blur(stones, 1.0) * (2 + 4 * defect.severity)
    height += 2.5 * spectral_noise(rng, (_SIDE, _SIDE), (4, 60), 1.0)
    # The exposed ground lies deeper, and its border casts a shadow.
    height = (height - 6) * worn
    rust = rng.random() < 0.4
    color = (0.24, 0.12, 0.06) if rust else (0.32, 0.29, 0.24)
    tone = 0.25 * (1 - stones) * worn + 0.15 * worn
    tone += 0.35 * (worn * (1 - worn) * 4)
    paint = np.stack(
        [0.75 * worn, tone.clip(0, 0.9), 0.2 * worn, worn > 0.5], -1
    )
    return paint, height, color


def _seepage(rng: np.random.Generator, defect: Defect, texel: float) -> Made:
    """Draw water or its traces, which run down the wall from row 0."""
    y = np.linspace(0, 1, _SIDE)[:, None]
    x = np.linspace(-1, 1, _SIDE)[None]
    path = np.cumsum(rng.normal(0, 0.012, _SIDE))[:, None]
    path -= path[0]
    spread = 0.18 + 0.4 * y * rng.uniform(0.4, 1.2)
    ragged = spectral_noise(rng, (_SIDE, _SIDE), (6, 200), 0.9, 12.0)
    field = 1 - np.abs(x - path * (0.3 + y)) / spread + 0.45 * ragged
    reach = rng.uniform(0.75, 1.0) * (0.6 + 0.4 * defect.severity)
    fade = np.clip((reach - y) * 6, 0, 1)
    flow = np.clip(field * 2.5, 0, 1) * fade
    lip = np.exp(-((field / 0.25) ** 2)) * fade
    wet = rng.random() < 0.35 + 0.5 * defect.severity
    color = np.array(
        [(0.62, 0.60, 0.53), (0.30, 0.13, 0.05), (0.42, 0.30, 0.14)]
    )[rng.integers(3)]
    opacity = np.clip((0.35 if wet else 0.8) * flow + 0.5 * lip, 0, 0.9)
    shade = (0.5 if wet else 0.05) * flow
    paint = np.stack(
        [opacity, shade, flow * (1.2 if wet else 0.2), flow > 0.3], -1
    )
    height = 2.0 * wrap_blur(flow.astype(np.float32), 2.0) * (1 + 0.6 * ragged)
    return paint, height, color


def _fitting(rng: np.random.Generator, defect: Defect, texel: float) -> Made:
    """Draw mortar and broken wall around the opening of a lateral."""
    y, x = (np.mgrid[:_SIDE, :_SIDE] + 0.5 - _SIDE / 2) * texel
    ragged = spectral_noise(rng, (_SIDE, _SIDE), (8, 160), 1.0)
    around = np.hypot(x, y) - defect.length / 2
    width = rng.uniform(0.004, 0.022)
    ring = np.clip((width * (1 + 0.5 * ragged) - around) / 0.003, 0, 1)
    dark = np.exp(-((around / 0.004) ** 2))
    paint = np.stack(
        [0.6 * ring, 0.35 * dark * ring, 0 * ring, ring > 0.5], -1
    )
    height = 3.0 * wrap_blur(ring.astype(np.float32), 1.5)
    height += ring * spectral_noise(rng, ring.shape, (3, 30), 0.8)
    return paint, height, rng.uniform(0.2, 0.45) * np.ones(3)


_MAKERS = {
    'RB': _crack,
    'OB': _damage,
    'IN': _seepage,
    'GR': _fitting,
    'IL': _fitting,
}


def _share_of(angle: float, table: np.ndarray) -> float:
    """Return the share of the perimeter at an angle."""
    turn = angle / (2 * np.pi) % 1
    steps = len(table) - 1
    return float(np.interp(turn * steps, np.arange(steps + 1), table))


def _place(
    defect: Defect,
    shape: tuple[int, float, float],
    table: np.ndarray,
    perimeter: float,
) -> tuple[float, float, float]:
    """Return center and extent of a decal; seepage runs to the invert."""
    share = _share_of(defect.angle, table)
    if defect.kind in ('GR', 'IL'):
        side = 2.6 * defect.length + 0.06
        # A round hole is an ellipse where the wall is met at a slant.
        return share, side, side
    if defect.kind != 'IN':
        return share, defect.length, defect.extent
    bottom = _share_of(np.pi / 2, table)
    way = (bottom - share + 0.5) % 1 - 0.5
    extent = max(abs(way) * perimeter, 0.05)
    return (share + way / 2) % 1, defect.length, extent


def build_decals(
    defects: tuple[Defect, ...],
    shape: tuple[int, float, float],
    table: np.ndarray,
    perimeter: float,
    seed: int,
    run: int,
) -> tuple[Decal, ...]:
    """Build the decals of a run's defects.

    Args:
        defects: The defects.
        shape: Section of the pipe.
        table: Share of the perimeter by angle, see
            `mmdsr.sim.scene.section.perimeter_table`.
        perimeter: Meters around the pipe.
        seed: Seed of the data set.
        run: Number of the run.

    Returns:
        The decals, in the order of the defects.
    """
    decals = []
    for i, defect in enumerate(defects):
        if defect.kind not in _MAKERS:
            continue
        rng = np.random.default_rng([seed, run, 9, i])
        share, length, extent = _place(defect, shape, table, perimeter)
        texel = np.sqrt(length * extent) / _SIDE
        paint, height, color = _MAKERS[defect.kind](rng, defect, texel)
        if defect.kind == 'IN':
            # Shares increase clockwise, so that on the left half they decrease
            # downwards.
            t, _, _ = section_exit(
                *shape, 0.0, 0.0, np.cos(defect.angle), np.sin(defect.angle)
            )
            if t * np.cos(defect.angle) < 0:
                paint, height = paint[::-1], height[::-1]
        frame = _window(power=16)
        paint = paint * np.minimum(frame * 6, 1)[..., None]
        along, around = slopes(height * np.minimum(frame * 6, 1))
        decals.append(
            Decal(
                i + 1,
                defect.z,
                share,
                length,
                extent,
                np.asarray(color, np.float32),
                MipAtlas(paint.astype(np.float32), _LEVELS),
                MipAtlas(
                    np.stack([along, around], -1).astype(np.float32), _LEVELS
                ),
            )
        )
    return tuple(decals)


def apply_decals(
    decals: tuple[Decal, ...],
    surface: Surface,
    hits: Hits,
    perimeter: float,
    owners: np.ndarray,
) -> None:
    """Paint the decals onto the points of a block, in place.

    Args:
        decals: The decals.
        surface: `mmdsr.sim.shade.light.Surface` of the block.
        hits: `mmdsr.sim.trace.geometry.Hits` of the block.
        perimeter: Meters around the pipe.
        owners: Defect shown by each pixel ``(H, W)``, uint8; set where a
            decal shows on the wall itself, not mirrored in the water.
    """
    single = np.float32
    low, high = float(hits.z.min()), float(hits.z.max())
    for decal in decals:
        half = decal.length / 2
        if decal.z + half < low or decal.z - half > high:
            continue
        u = (hits.z - single(decal.z)) / single(decal.length)
        near = np.abs(u) < 0.5
        near &= ~hits.face
        at = np.nonzero(near)
        if not len(at[0]):
            continue
        v = surface.turn[at] - single(decal.share)
        v = (v - np.round(v)) * single(perimeter / decal.extent)
        kept = np.abs(v) < 0.5
        at = tuple(index[kept] for index in at)
        if not len(at[0]):
            continue
        u, v = u[at] + single(0.5), v[kept] + single(0.5)
        texel = decal.length / _SIDE
        level = surface.level[at] - single(np.log2(texel))
        opacity, shade, wet, belongs = (
            plane[0]
            for plane in decal.paint.sample(u[None], v[None], level[None])
        )
        along, around = (
            plane[0]
            for plane in decal.relief.sample(u[None], v[None], level[None])
        )
        for plane, color in zip(surface.color, decal.color, strict=True):
            value = plane[at]
            plane[at] = (value + opacity * (color - value)) * (1 - shade)
        surface.along[at] += along
        surface.around[at] += around
        surface.wet[at] += wet
        own = belongs > 0.5
        own &= ~hits.water[at]
        owners[tuple(index[own] for index in at)] = decal.owner
