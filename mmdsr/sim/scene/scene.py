"""Parameters that vary between runs: pipe, material, camera, light, sensor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mmdsr.sim.scene.materials import Material, material_of
from mmdsr.sim.scene.section import CODES, extent

MOTIONS = ('crawler', 'zoom')


class Bend(NamedTuple):
    """Bend of the pipe: periodic deviation from a straight line.

    Attributes:
        slope: Largest slope of the center line, meters per meter.
        period: Meters of pipe after which it repeats.
        direction: Unit vector (x, y) of the winding.
    """

    slope: float
    period: float
    direction: tuple[float, float]


@dataclass(frozen=True)
class Scene:
    """All drawn parameters of one run; lengths in meters, angles in rad.

    Attributes:
        material: Wall material.
        color: Base color of the wall, linear RGB.
        section: Cross-section: ``'circular'``, ``'egg'`` or ``'box'``.
        radius: Half width of the pipe.
        half_height: Half height of a box; otherwise the radius.
        bend: Winding of the pipe.
        misfit: Standard deviation of the joints' usual offset.
        water: Height y of the water below the axis (y points down), or
            None for a dry pipe.
        motion: ``'crawler'``: the camera drives into the pipe; ``'zoom'``:
            it stands at the manhole (quick view) and zooms in.
        hfov: Horizontal field of view (of the first frame).
        zoom: Growth of the focal length per frame.
        step: Mean advance per frame.
        offset: Mean camera center (x, y) across the pipe.
        aim: Mean yaw and pitch.
        wander: Amplitudes of the camera's motion: center (fraction of the
            radius) and angle.
        pan: Amplitudes of slow pan and tilt.
        phases: Phases ``(8, 3)`` of that motion.
        jitter: Standard deviations of the principal point (share of the
            width) and of the focal length (relative), from frame to frame.
        lamp_offset: Lamp position relative to the camera (x, y).
        beam_center: Tangent of the beam's direction (x, y).
        beam_width: Tangent of the beam's half width.
        beam_floor: Share of light outside the hot spot.
        shade: Lamp shadow sectors: strength and phase.
        penumbra: Softness of the border of those sectors.
        scatter: Share of the light that is reflected by the other walls first.
        gloss: Strength of highlights on the wall.
        light_color: Linear RGB of the lamp.
        haze: Extinction per meter.
        haze_glow: Brightness of the haze.
        exposure: Target display value at the 85th percentile.
        shoulder: Strength of the highlight compression.
        black: Black level, display units.
        contrast: Strength of the camera's tone curve.
        blur: Optical blur, standard deviation in pixels at width 448.
        shake: Longest motion blur in pixels at width 448.
        sharpen: Unsharp masking after it.
        noise: Read and shot noise, display units.
        banding: Amplitude of rolling bands, display units.
        quality: JPEG quality, or None for no compression.
    """

    material: Material
    color: np.ndarray
    section: str
    radius: float
    half_height: float
    bend: Bend
    misfit: float
    water: float | None
    motion: str
    hfov: float
    zoom: float
    step: float
    offset: tuple[float, float]
    aim: tuple[float, float]
    wander: tuple[float, float]
    pan: tuple[float, float]
    phases: np.ndarray
    jitter: tuple[float, float]
    lamp_offset: tuple[float, float]
    beam_center: tuple[float, float]
    beam_width: float
    beam_floor: float
    shade: tuple[float, float]
    penumbra: float
    scatter: float
    gloss: float
    light_color: np.ndarray
    haze: float
    haze_glow: float
    exposure: float
    shoulder: float
    black: float
    contrast: float
    blur: float
    shake: float
    sharpen: float
    noise: tuple[float, float]
    banding: float
    quality: int | None

    @property
    def shape(self) -> tuple[int, float, float]:
        """Code, half width and half height of `mmdsr.sim.scene.section`."""
        return CODES[self.section], self.radius, self.half_height

    @property
    def extent(self) -> tuple[float, float]:
        """Smallest and largest y of the section."""
        return extent(*self.shape)

    @property
    def filled(self) -> float:
        """Share of the section's height that is under water."""
        if self.water is None:
            return 0.0
        top, bottom = self.extent
        return (bottom - self.water) / (bottom - top)


def _draw_section(
    rng: np.random.Generator, material: Material, kinds: Sequence[str]
) -> str:
    # Rigid sections crack before they deform.
    if 'DE' in kinds:
        return 'circular'
    names = list(material.sections)
    return str(rng.choice(names, p=list(material.sections.values())))


def _draw_water(
    rng: np.random.Generator,
    section: str,
    radius: float,
    half: float,
    kinds: Sequence[str],
) -> float | None:
    top, bottom = extent(CODES[section], radius, half)
    # Objects on the invert are visible in shallow water only.
    low = 'AF' in kinds or 'FO' in kinds
    if rng.random() > (0.4 if low else 0.85):
        return None
    level = rng.uniform(0.02, 0.06) if low else rng.uniform(0.03, 0.28)
    return float(bottom - level * (bottom - top))


def draw_scene(seed: int, run: int, kinds: Sequence[str] = ()) -> Scene:
    """Draw the parameters of a run.

    Args:
        seed: Seed of the whole data set, non-negative.
        run: Number of the run, non-negative.
        kinds: Codes of the defects that the pipe must have room for.

    Returns:
        The scene; equal arguments give equal scenes.
    """
    rng = np.random.default_rng([seed, run, 1])
    material = material_of(seed, run)

    def draw(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    # Narrow pipes are more common.
    low, high = material.radius
    radius = low * (high / low) ** draw(0, 1)
    color = np.array(material.colors[rng.integers(len(material.colors))])
    color = color * rng.uniform(0.85, 1.15, 3) * draw(0.8, 1.15)
    section = _draw_section(rng, material, kinds)
    half = radius * (draw(0.6, 1.2) if section == 'box' else 1.0)
    water = _draw_water(rng, section, radius, half, kinds)
    _, bottom = extent(CODES[section], radius, half)
    offset_y = min(radius, half) * draw(-0.2, 0.3)
    # The camera and its wander (0.05 radius) stay clear of the water.
    floor = bottom if water is None else water
    offset_y = min(offset_y, floor - 0.25 * radius)
    motion = 'crawler' if rng.random() < 0.65 else 'zoom'
    still = motion == 'zoom'
    winding = draw(0, 2 * np.pi)
    warm = draw(-1, 1)
    return Scene(
        material=material,
        color=color.astype(np.float32),
        section=section,
        radius=radius,
        half_height=half,
        bend=Bend(
            slope=draw(0.02, 0.1) if rng.random() < 0.35 else 0.0,
            period=draw(20, 50),
            # Bends are horizontal; the slope is nearly constant.
            direction=(float(np.cos(winding)), 0.1 * float(np.sin(winding))),
        ),
        misfit=radius * draw(0.0, 0.008),
        water=water,
        motion=motion,
        hfov=np.deg2rad(draw(50, 90)),
        zoom=draw(1.03, 1.09) if still else 1.0,
        # From frames of a video to stills up to a meter apart.
        step=0.0 if still else 0.03 * 20 ** draw(0, 1) * min(1, radius / 0.2),
        offset=(radius * draw(-0.15, 0.15), offset_y),
        aim=(np.deg2rad(draw(-5, 5)), np.deg2rad(draw(-5, 4))),
        wander=(
            0.004 if still else draw(0.01, 0.04),
            np.deg2rad(draw(0.2, 1.5)) * (0.4 if still else 1.0),
        ),
        pan=(
            np.deg2rad(draw(2, 14)) * (rng.random() < 0.3) * (not still),
            np.deg2rad(draw(1, 6)) * (rng.random() < 0.3) * (not still),
        ),
        phases=rng.uniform(0, 2 * np.pi, (8, 3)),
        jitter=(draw(0.0, 0.004), draw(0.0, 0.004)),
        lamp_offset=(radius * draw(-0.1, 0.1), radius * draw(-0.2, 0.1)),
        beam_center=(draw(-0.1, 0.1), draw(-0.15, 0.1)),
        beam_width=draw(0.25, 0.7),
        beam_floor=draw(0.02, 0.25),
        shade=(draw(0.1, 0.75) * (rng.random() < 0.7), draw(0, 2 * np.pi)),
        penumbra=draw(0.08, 0.8),
        scatter=draw(0.03, 0.25),
        gloss=0.15 * draw(*material.gloss),
        light_color=np.array(
            [1 + 0.12 * warm, 1, 1 - 0.16 * warm], np.float32
        ),
        haze=draw(0.01, 0.2),
        haze_glow=draw(0.0, 0.02) ** 1.5,
        exposure=draw(0.48, 0.93),
        shoulder=draw(0.0, 0.45),
        black=draw(0.0, 0.012),
        contrast=draw(0.2, 1.0),
        blur=draw(0.35, 1.1),
        shake=draw(0.5, 2.5) * (rng.random() < 0.3),
        sharpen=draw(0.0, 0.4),
        noise=(draw(0.0005, 0.003), draw(0.0005, 0.006)),
        banding=draw(0.001, 0.006) * (rng.random() < 0.25),
        quality=int(rng.integers(70, 97)) if rng.random() < 0.6 else None,
    )
