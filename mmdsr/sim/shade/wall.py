"""The wall of one run as three periodic textures.

- *detail*: one small tile, down to the footprint of the nearest pixels:
  reflectance and the two slopes of the relief;
- *rings*: a function of the axis alone: corrugations, joints, rings of
  dirt and wear;
- *macro*: meters of wall at about a centimeter: shading, and smooth fields
  that become patches, streaks and cracks with sharp borders when the
  renderer thresholds them at its own resolution.
"""

import numpy as np

from mmdsr.sim.scene.scene import Scene
from mmdsr.sim.shade.noise import (
    line_noise,
    slopes,
    spectral_noise,
    stamp_discs,
    stamp_walks,
    wrap_blur,
    wrap_distance,
)
from mmdsr.sim.shade.texture import MipAtlas

RING_LENGTH = 24.576  # period of the rings in meters
_RING_SAMPLES = 16384
_DETAIL = 1024
_MACRO_ROWS, _MACRO_COLS = 256, 1024
CRACK_RANGE = 0.1  # meters; distances to cracks are clipped here


class Wall:
    """Textures of a run.

    Attributes:
        detail: Channels reflectance, slope along the axis, slope around.
        rings: Channels slope along the axis, reflectance, gap (0 to 1),
            height (-1 to 1).
        macro: Channels reflectance, patch field, crack distance in
            meters, streak field.
        detail_period: Meters of the detail tile (axis, around).
        macro_length: Meters of pipe before the macro texture repeats.
        turns: Number of detail tiles around the pipe.

    Args:
        scene: The run.
        rng: Source of randomness of the textures.
        footprint: Size of the nearest pixels on the wall, in meters, which is
            the pixel size of the detail tile.
        joints: Positions of the joints in one period of the rings, meters.
        around: Perimeter of the pipe, meters.
    """

    def __init__(
        self,
        scene: Scene,
        rng: np.random.Generator,
        footprint: float,
        joints: np.ndarray,
        around: float,
    ) -> None:
        self.turns = max(1, round(around / (footprint * _DETAIL)))
        self.detail_period = (footprint * _DETAIL, around / self.turns)
        self.macro_length = around * _MACRO_COLS / _MACRO_ROWS
        self.detail = MipAtlas(_detail(scene, rng, self.detail_period), 8)
        self.rings = MipAtlas(_rings(scene, rng, joints), 12)
        self.macro = MipAtlas(_macro(scene, rng, around), 7)
        self.footprint = footprint
        self.ring_length = RING_LENGTH
        self.ring_footprint = RING_LENGTH / _RING_SAMPLES
        self.macro_footprint = self.macro_length / _MACRO_COLS


def _detail(
    scene: Scene, rng: np.random.Generator, period: tuple[float, float]
) -> np.ndarray:
    shape = (_DETAIL, _DETAIL)
    kind = scene.material
    grain = rng.uniform(*kind.grain)
    relief = rng.uniform(*kind.relief)
    stretch = rng.uniform(*kind.stretch)
    texel = period[0] / _DETAIL

    tone = grain * spectral_noise(rng, shape, (3, 400), 0.8, stretch)
    height = spectral_noise(rng, shape, (3, 120), 1.5, stretch)
    along, around = slopes(height)
    scale = relief / float(np.sqrt(np.mean(along**2 + around**2) / 2))
    height *= scale  # now in pixels

    low, high = kind.speck_contrast
    for sign, share in ((low, 0.55), (high, 0.45)):
        count = rng.uniform(*kind.specks) * share * _DETAIL**2 / 1000
        radius = (max(0.6, 0.0005 / texel), max(2.0, 0.004 / texel))
        marks = stamp_discs(rng, shape, int(count), radius)
        tone += sign * marks
        # Dark marks are pits, bright ones stand out and catch the light.
        height += np.sign(sign) * 1.2 * wrap_blur(marks, 0.8)

    lines = stamp_walks(
        rng, shape, int(rng.integers(4, 30)), (3, 14), 12, 0, 0.6, 0.12
    )
    scratch = wrap_blur(lines.astype(np.float32) / 255, 0.7)
    tone += rng.uniform(-0.5, 0.4) * scratch
    height -= 0.8 * scratch

    if kind.name == 'brick':
        brick_tone, brick_height = _bricks(rng, shape, period)
        tone += brick_tone
        height += brick_height
    along, around = slopes(height)
    tone = np.clip(tone - tone.mean(), -0.85, 1.2)
    return np.stack([tone, along, around], -1)


def _bricks(
    rng: np.random.Generator,
    shape: tuple[int, int],
    period: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """Draw bricks along the axis in courses, every other one shifted."""
    rows, cols = shape
    per_row = max(1, round(period[0] / 0.225))
    courses = max(2, 2 * round(period[1] / 0.075 / 2))
    wobble = [
        spectral_noise(rng, shape, (40, 300), 1.0) * amount
        for amount in (0.012, 0.03)
    ]
    y = (np.arange(rows)[:, None] + 0.5) / rows * courses + wobble[1]
    course = np.floor(y).astype(int) % courses
    shift = np.where(course % 2 == 0, 0, 0.5)
    x = (np.arange(cols)[None] + 0.5) / cols * per_row + wobble[0] + shift
    number = np.floor(x).astype(int) % per_row
    # Distance in meters to the edge of the brick.
    edge_x = (0.5 - np.abs(x - np.floor(x) - 0.5)) * period[0] / per_row
    edge_y = (0.5 - np.abs(y - np.floor(y) - 0.5)) * period[1] / courses
    edge = np.minimum(edge_x, edge_y).astype(np.float32)
    texel = period[0] / cols
    width = rng.uniform(0.005, 0.009)
    brick = np.clip((edge - width) / (1.5 * texel) + 0.5, 0, 1)
    tones = rng.normal(0, 0.22, (courses, per_row)).clip(-0.5, 0.5)
    mortar = rng.choice([-1, 1]) * rng.uniform(0.3, 0.6)
    tone = brick * tones[course, number] + (1 - brick) * mortar
    depth = rng.uniform(0.001, 0.003) / texel
    rounded = np.clip((edge - width) / 0.004, 0, 1)
    height = depth * np.sqrt(np.clip(rounded, 0, 1))
    return tone.astype(np.float32), wrap_blur(height.astype(np.float32), 0.7)


def ring_joints(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Return the positions of the joints in one period, meters."""
    count = round(RING_LENGTH / rng.uniform(*scene.material.joint_spacing))
    spacing = RING_LENGTH / count
    shift = rng.uniform(-0.04, 0.04, count) * spacing
    return (np.arange(count) + 0.5) * spacing + shift


def _rings(
    scene: Scene, rng: np.random.Generator, joints: np.ndarray
) -> np.ndarray:
    n, kind = _RING_SAMPLES, scene.material
    texel = RING_LENGTH / n
    z = (np.arange(n) + 0.5) * texel
    tone = rng.uniform(*kind.ring_tone) * line_noise(rng, n, (3, 600), 0.4)
    height = np.zeros(n)
    slope = np.zeros(n)
    if kind.ring_pitch is not None:
        pitch = RING_LENGTH / round(
            RING_LENGTH / rng.uniform(*kind.ring_pitch)
        )
        # Real corrugations are not quite equal: bend the axis a little,
        # and give each ring its own depth.
        warp = 0.25 * line_noise(rng, n, (60, 3000), 0.5)
        phase = 2 * np.pi * z / pitch + warp
        sharp = rng.uniform(0.0, 0.6)
        depth = 1 + 0.3 * line_noise(rng, n, (2 * pitch / texel, 4000), 0.3)
        height = np.sin(phase + sharp * np.sin(phase)) * depth
        amplitude = rng.uniform(*kind.ring_slope)
        slope = amplitude * np.cos(phase + sharp * np.sin(phase)) * depth
        groove = np.clip(-height, 0, None) ** rng.uniform(2, 8)
        tone = tone - rng.uniform(0.1, 0.5) * groove

    gap = np.zeros(n)
    ends = np.append(joints[1:], joints[0] + RING_LENGTH)
    for at, end in zip(joints, ends, strict=True):
        width = rng.uniform(0.003, 0.014)
        lip = rng.uniform(0.01, 0.04)
        away = np.abs(z - at)
        gap = np.maximum(
            gap,
            rng.uniform(0.5, 1) * np.clip((width - away) / texel + 0.5, 0, 1),
        )
        # Chamfered ends, and the dirt or lime that collects there.
        chamfer = np.exp(-(((away - width) / lip) ** 2)) * np.sign(z - at)
        slope = slope + rng.uniform(-0.6, 0.6) * chamfer
        tone = tone + rng.uniform(-0.25, 0.3) * np.exp(
            -((away / (3 * lip)) ** 2)
        )
        # Each section of pipe has its own shade.
        inside = (z >= at) & (z < end)
        tone = tone + rng.normal(0, 0.05) * inside
    stack = np.stack([slope, np.clip(tone, -0.8, 0.8), gap, height], -1)
    return stack[None].astype(np.float32)


def _macro(
    scene: Scene, rng: np.random.Generator, around: float
) -> np.ndarray:
    shape = (_MACRO_ROWS, _MACRO_COLS)
    texel = around / _MACRO_ROWS
    kind = scene.material
    tone = rng.uniform(0.08, 0.25) * spectral_noise(rng, shape, (4, 200), 1.2)
    patch = spectral_noise(
        rng, shape, (3, rng.uniform(60, 200)), 1.3, rng.uniform(0.4, 2.5)
    )
    # Shift the field so that its positive part covers the requested share.
    cover = rng.uniform(*kind.cover)
    patch -= np.quantile(patch, 1 - cover)
    area = shape[0] * shape[1] * texel**2
    cracks = stamp_walks(
        rng,
        shape,
        rng.poisson(rng.uniform(*kind.cracks) * area),
        (4, 30),
        max(1.5, 0.015 / texel),
        rng.choice([0.0, np.pi / 2]),
        0.4,
        0.5,
    )
    distance = wrap_distance(cracks, int(np.ceil(CRACK_RANGE / texel)))
    distance = np.minimum(distance * texel, CRACK_RANGE)
    streak = spectral_noise(rng, shape, (2.5, 40), 0.4, rng.uniform(8, 40))
    streak -= np.quantile(streak, 1 - rng.uniform(0.0, 0.12))
    return np.stack([tone, patch, distance, streak], -1).astype(np.float32)
