"""Reflected light of wall and water, for a block of pixels."""

import cv2
import numpy as np

from mmdsr.sim.scene.scene import Scene
from mmdsr.sim.shade.texture import MipAtlas
from mmdsr.sim.shade.wall import Wall
from mmdsr.sim.trace.geometry import Hits

_F = np.float32
FACE_SHADE = 0.7
"""Share of the light that the gap of a joint blocks from its end faces."""


def ramp(value: np.ndarray, width: np.ndarray | np.floating) -> np.ndarray:
    """Antialiased threshold at zero: a ramp of the given width to [0, 1]."""
    out = value / width
    out += _F(0.5)
    return np.clip(out, 0, 1, out=out)


class Surface:
    """Texture values at the points of a block.

    Args:
        scene: The run.
        wall: Its textures.
        looks: Random numbers of the run's dirt, see `Looks`.
        hits: Points on the wall.
        pixel: Footprint of a pixel at unit distance, 1 / focal.
        table: Share of the perimeter by angle, None for a circle.

    Attributes:
        color: Linear RGB reflectance ``(3, H, W)``.
        along, around: Slopes of the relief.
        wet: How wet or dirty the wall is, 0 to 1.
        turn: Position around the pipe as a share of its perimeter.
        edge: Width in meters of soft borders.
        level: log2 of the pixel's footprint along the pipe.
    """

    def __init__(
        self,
        scene: Scene,
        wall: Wall,
        looks: 'Looks',
        hits: Hits,
        pixel: float,
        table: np.ndarray | None,
    ) -> None:
        # OpenCV's approximation is accurate to 2e-4 rad, and its error is the
        # same whenever a point is seen.
        turn = cv2.phase(hits.across[0], hits.across[1])
        turn *= _F(0.5 / np.pi)
        if table is not None:
            at = turn * _F(len(table) - 1)
            low = np.minimum(at.astype(np.intp), len(table) - 2)
            at -= low
            turn = table[low] * (1 - at) + table[low + 1] * at
        # Around the pipe, the footprint of a pixel grows with the distance;
        # along the pipe, also with the grazing angle.
        cross = hits.path * _F(pixel)
        axial = cross / np.maximum(hits.grazing, _F(1e-4))
        # The filters of the levels are wide, so read up to half a level
        # sharper.
        level = np.log2(np.maximum(axial, _F(1e-7))) - _F(looks.crisp)

        macro = wall.macro.sample(
            hits.z * _F(1 / wall.macro_length),
            turn,
            level - _F(np.log2(wall.macro_footprint)),
        )
        fine = level - _F(np.log2(wall.footprint))
        u = hits.z * _F(1 / wall.detail_period[0])
        v = turn * _F(wall.turns)
        detail = wall.detail.sample(u, v, fine)
        # The same tile, magnified by an odd ratio and shifted, carries the
        # middle octaves and keeps the small tile from repeating visibly.
        times = max(1, round(wall.turns / looks.magnify))
        coarse = wall.detail.sample(
            u * _F(1 / looks.magnify) + _F(looks.shift[0]),
            turn * _F(times) + _F(looks.shift[1]),
            fine - _F(np.log2(looks.magnify)),
        )
        rings = wall.rings.sample(
            hits.z * _F(1 / wall.ring_length),
            None,
            level - _F(np.log2(wall.ring_footprint)),
        )
        fine_tone = detail[0]
        rough = fine_tone + _F(looks.lumps) * coarse[0]
        # Borders are as sharp as the pixel allows, never less than 1 mm.
        edge = cross + _F(0.001)
        fuzz = edge * _F(1 / (6 * wall.macro_footprint))
        patch = ramp(
            macro[1]
            + _F(looks.ragged) * rough
            + _F(looks.ring_ragged) * rings[3],
            fuzz + _F(looks.soft),
        )
        streak = ramp(macro[3] + _F(0.5) * rough, 3 * fuzz + _F(0.1))

        smooth = _F(1) - _F(looks.filling) * patch
        tone: np.ndarray = macro[0] + rings[1] * (smooth + macro[1] * _F(0.1))
        tone += rough * smooth
        tone += _F(1)
        np.maximum(tone, _F(0.1), out=tone)
        tone *= _F(1) - _F(looks.patch_dark) * patch

        width = _F(looks.crack_width)
        away = macro[2] + _F(0.006) * coarse[0]
        crack = np.minimum(width / edge, 1) * ramp(width - away, edge)
        tone *= _F(1) - _F(0.8) * crack
        # The end face of a pipe lies in the gap of its joint.
        tone *= _F(1) - np.where(hits.face, _F(FACE_SHADE), _F(1)) * rings[2]

        slime: np.ndarray | int = 0
        if scene.water is not None:
            # The tide mark: slime from the water up to a ragged line.
            above: np.ndarray = _F(scene.water - looks.tide) - hits.y
            above += _F(0.25 * looks.tide) * (
                macro[1] * _F(0.4) + rough + rings[3] * _F(0.2)
            )
            slime = ramp(-above, edge + _F(0.1 * looks.tide))
            tone *= _F(1) - _F(looks.tide_dark) * slime
            lip: np.ndarray = hits.y - _F(scene.water - 0.25 * looks.tide)
            lip += _F(0.1 * looks.tide) * (rough + rings[3])
            tone *= _F(1) - _F(looks.lip_dark) * ramp(lip, edge)
            # The dark contact line, a pixel wide, hides the jagged border.
            contact = (_F(scene.water) - hits.y) / cross
            np.clip(contact, _F(0.3), 1, out=contact)
            tone *= contact
        self.wet = patch + slime
        color = np.empty((3, *tone.shape), np.float32)
        stain = patch * _F(looks.patch_mix)
        for c in range(3):
            base = scene.color[c]
            plane = stain * (looks.patch_color[c] - base)
            plane += base
            plane += (
                streak * _F(looks.streak_mix) * (looks.streak_color[c] - plane)
            )
            if scene.water is not None:
                plane += slime * _F(0.5) * (looks.slime_color[c] - plane)
            plane *= tone
            color[c] = plane
        self.color = color
        self.along = detail[1] + _F(looks.lumps) * coarse[1]
        self.along *= smooth
        self.along += rings[0] * (smooth - _F(0.2) * streak)
        self.around = detail[2] + _F(looks.lumps) * coarse[2]
        self.around *= smooth
        self.along[hits.face] = 0
        self.turn, self.edge, self.level = turn, edge, level


class Looks:
    """Dirt of a run: how the texture fields become patches and streaks.

    Args:
        scene: The run.
        rng: Source of randomness.
    """

    def __init__(self, scene: Scene, rng: np.random.Generator) -> None:
        def draw(low: float, high: float) -> float:
            return float(rng.uniform(low, high))

        color = scene.color
        gray = float(color.mean())
        self.magnify = draw(3.1, 4.9)
        self.shift = rng.random(2)
        self.crisp = draw(0.0, 0.6)
        self.lumps = draw(0.2, 0.6)
        self.ragged = draw(0.2, 1.0)
        self.ring_ragged = draw(0.05, 0.35)
        self.soft = draw(0.08, 0.9)
        self.filling = draw(0.1, 0.8)
        self.patch_dark = draw(-0.2, 0.5)
        self.patch_mix = draw(0.05, 0.45)
        self.patch_color = (
            gray * rng.uniform(0.6, 1.2) * np.array([1.0, 0.92, 0.8])
        ).astype(np.float32)
        self.streak_mix = draw(0.2, 0.8)
        self.streak_color = np.array(
            [[0.75, 0.73, 0.66], [0.30, 0.14, 0.06], [0.08, 0.07, 0.06]],
            np.float32,
        )[rng.integers(3)]
        self.crack_width = draw(0.001, 0.004)
        self.tide = scene.radius * draw(0.05, 0.35)
        self.tide_dark = draw(0.1, 0.75)
        self.lip_dark = draw(0.2, 0.8)
        self.slime_color = (
            0.2 * rng.uniform(0.7, 1.3, 3) * np.array([1.0, 0.9, 0.75])
        ).astype(np.float32)
        self.water_color = (
            rng.uniform(0.002, 0.02) * np.array([0.9, 1.0, 0.75])
        ).astype(np.float32)
        self.ripple = draw(0.004, 0.05)
        self.flow = draw(-0.3, 0.3)
        # Half of the waters carry foam and floating matter.
        self.scum = draw(0.0, 0.05) if rng.random() < 0.5 else 0.0
        self.scum_color = (
            rng.uniform(0.03, 0.3) * np.array([1.0, 0.95, 0.85])
        ).astype(np.float32)


class Ripples:
    """The water's surface, from a small periodic texture.

    Args:
        texture: Slopes across and along the pipe, and the scum field.
        period: Meters of the texture.
        strength: RMS slope.
        drift: Meters by which the frame's pattern has flowed.
        pixel: Footprint of a pixel at unit distance, 1 / focal.
    """

    def __init__(
        self,
        texture: MipAtlas,
        period: float,
        strength: float,
        drift: float,
        pixel: float,
    ) -> None:
        self.texture = texture
        self.columns = texture.columns
        self.period = period
        self.strength = strength
        self.drift = drift
        self.pixel = pixel

    def __call__(
        self, x: np.ndarray, z: np.ndarray, t: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Look up points of the water for `trace`.

        Args:
            x: Positions across the pipe in meters ``(N,)``.
            z: Positions along the pipe in meters ``(N,)``.
            t: Depth of the points in meters ``(N,)``.

        Returns:
            Slopes along x and z, and the scum field (floating matter where
            positive), ``(N,)`` each.
        """
        scale = 1 / self.period
        texel = self.period / self.columns
        level = np.log2(np.maximum(t, 1e-3) * (self.pixel / texel)) + 1
        across, along, scum = self.texture.sample(
            ((z - self.drift) * scale).astype(np.float32)[None],
            (x * scale).astype(np.float32)[None],
            level.astype(np.float32)[None],
        )
        strength = _F(self.strength)
        return across[0] * strength, along[0] * strength, scum[0]


def beam(scene: Scene, rays_x: np.ndarray, rays_y: np.ndarray) -> np.ndarray:
    """Brightness of the headlight in directions relative to the camera.

    Args:
        scene: The run.
        rays_x: Tangents of the directions in the camera's frame, ``(1, W)``.
        rays_y: Tangents of the directions downwards, ``(H, 1)``.

    Returns:
        Float32 ``(H, W)``: hot spot, its floor, and the lamp's shadows.
    """
    x = (rays_x - scene.beam_center[0]).astype(np.float32)
    y = (rays_y - scene.beam_center[1]).astype(np.float32)
    square = x * x + y * y
    out = np.exp(square * _F(-0.5 / scene.beam_width**2))
    out += _F(scene.beam_floor)
    strength, phase = scene.shade
    if strength:
        # Two lamps side by side leave sectors (the crown) darker.
        angle = np.arctan2(y, x)
        lobes = np.sin(2 * angle + _F(phase))
        out *= _F(1) - _F(strength) * ramp(lobes, _F(scene.penumbra))
    return out
