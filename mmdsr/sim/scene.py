"""What varies from run to run: pipe, material, camera, light, sensor."""

from dataclasses import dataclass

import numpy as np

from mmdsr.sim.geometry import rotation


@dataclass(frozen=True)
class Material:
    """Look of a wall material; ranges are drawn once per run.

    Attributes:
        name: Its name.
        colors: Base colours, linear RGB reflectance.
        radius: Pipe radius in metres.
        joint_spacing: Metres between joints.
        relief: RMS slope of the fine relief.
        grain: RMS of the fine reflectance variation.
        specks: Marks (aggregate, minerals, droplets) per pixel of texture
            times 1000.
        speck_contrast: Reflectance change of a speck, dark to bright.
        ring_pitch: Metres between corrugations, or None.
        ring_slope: Largest slope of the corrugations.
        ring_tone: RMS reflectance variation from ring to ring.
        cover: Share of the wall under wet or dirty patches.
        cracks: Cracks per square metre.
        gloss: Strength of highlights.
        stretch: Fine marks are longer around the pipe by this factor.
    """

    name: str
    colors: tuple[tuple[float, float, float], ...]
    radius: tuple[float, float]
    joint_spacing: tuple[float, float]
    relief: tuple[float, float]
    grain: tuple[float, float]
    specks: tuple[float, float]
    speck_contrast: tuple[float, float]
    ring_pitch: tuple[float, float] | None
    ring_slope: tuple[float, float]
    ring_tone: tuple[float, float]
    cover: tuple[float, float]
    cracks: tuple[float, float]
    gloss: tuple[float, float]
    stretch: tuple[float, float]


MATERIALS = {
    m.name: m
    for m in (
        Material(
            name='corrugated',
            colors=((0.44, 0.45, 0.42), (0.40, 0.42, 0.46)),
            radius=(0.15, 0.35),
            joint_spacing=(2.0, 3.0),
            relief=(0.03, 0.09),
            grain=(0.03, 0.08),
            specks=(1.5, 6.0),
            speck_contrast=(-0.6, 0.7),
            ring_pitch=(0.010, 0.028),
            ring_slope=(0.05, 0.25),
            ring_tone=(0.03, 0.08),
            cover=(0.1, 0.5),
            cracks=(0.0, 0.15),
            gloss=(0.1, 0.6),
            stretch=(3.0, 12.0),
        ),
        Material(
            name='concrete',
            colors=(
                (0.40, 0.39, 0.36),
                (0.33, 0.33, 0.34),
                (0.46, 0.42, 0.35),
            ),
            radius=(0.2, 0.6),
            joint_spacing=(1.0, 2.5),
            relief=(0.04, 0.14),
            grain=(0.04, 0.1),
            specks=(2.0, 8.0),
            speck_contrast=(-0.6, 0.6),
            ring_pitch=None,
            ring_slope=(0.0, 0.0),
            ring_tone=(0.01, 0.05),
            cover=(0.1, 0.5),
            cracks=(0.1, 0.6),
            gloss=(0.0, 0.3),
            stretch=(0.7, 1.5),
        ),
        Material(
            name='clay',
            colors=(
                (0.46, 0.16, 0.06),
                (0.40, 0.17, 0.09),
                (0.50, 0.21, 0.09),
            ),
            radius=(0.15, 0.25),
            joint_spacing=(1.0, 1.5),
            relief=(0.03, 0.10),
            grain=(0.04, 0.10),
            specks=(1.0, 5.0),
            speck_contrast=(-0.6, 0.6),
            ring_pitch=None,
            ring_slope=(0.0, 0.0),
            ring_tone=(0.01, 0.06),
            cover=(0.1, 0.4),
            cracks=(0.1, 0.5),
            gloss=(0.2, 0.9),
            stretch=(1.0, 5.0),
        ),
        Material(
            name='brick',
            colors=((0.26, 0.14, 0.09), (0.26, 0.20, 0.15), (0.2, 0.17, 0.14)),
            radius=(0.3, 0.6),
            joint_spacing=(2.0, 3.0),
            relief=(0.04, 0.1),
            grain=(0.05, 0.1),
            specks=(0.8, 2.5),
            speck_contrast=(-0.6, 0.6),
            ring_pitch=None,
            ring_slope=(0.0, 0.0),
            ring_tone=(0.0, 0.03),
            cover=(0.1, 0.5),
            cracks=(0.05, 0.3),
            gloss=(0.0, 0.4),
            stretch=(0.8, 1.3),
        ),
        Material(
            name='plastic',
            colors=(
                (0.10, 0.42, 0.26),
                (0.50, 0.26, 0.10),
                (0.38, 0.40, 0.41),
            ),
            radius=(0.15, 0.3),
            joint_spacing=(2.0, 3.0),
            relief=(0.02, 0.06),
            grain=(0.03, 0.08),
            specks=(0.6, 3.5),
            speck_contrast=(-0.7, 0.6),
            ring_pitch=None,
            ring_slope=(0.0, 0.0),
            ring_tone=(0.02, 0.06),
            cover=(0.15, 0.5),
            cracks=(0.0, 0.2),
            gloss=(0.3, 1.0),
            stretch=(0.3, 4.0),
        ),
    )
}

# Eight consecutive runs meet the materials in these shares, shuffled anew
# for each eight.
_CYCLE = (
    'corrugated',
    'corrugated',
    'corrugated',
    'clay',
    'clay',
    'concrete',
    'brick',
    'plastic',
)


@dataclass(frozen=True)
class Scene:
    """All drawn parameters of one run; lengths in metres, angles in rad.

    Attributes:
        material: Wall material.
        color: Base colour of the wall, linear RGB.
        radius: Pipe radius.
        water: Height y of the water below the axis (y points down), or
            None for a dry pipe.
        hfov: Horizontal field of view.
        step: Mean advance per frame.
        offset: Mean camera centre (x, y) across the pipe.
        aim: Mean yaw and pitch.
        wander: Amplitudes of the camera's motion: centre (fraction of the
            radius) and angle.
        phases: Phases ``(6, 3)`` of that motion.
        lamp_offset: Lamp position relative to the camera (x, y).
        beam_center: Tangent of the beam's direction (x, y).
        beam_width: Tangent of the beam's half width.
        beam_floor: Share of light outside the hot spot.
        shade: Lamp shadow sectors: strength and phase.
        penumbra: Softness of the border of those sectors.
        scatter: Light that comes by way of the other walls, as a share.
        gloss: Strength of highlights on the wall.
        light_color: Linear RGB of the lamp.
        haze: Extinction per metre.
        haze_glow: Brightness of the haze.
        exposure: Display value wanted at the 85th percentile.
        shoulder: Strength of the highlight compression.
        black: Black level, display units.
        blur: Optical blur, standard deviation in pixels at width 448.
        sharpen: Unsharp masking after it.
        noise: Read and shot noise, display units.
        quality: JPEG quality, or None for no compression.
    """

    material: Material
    color: np.ndarray
    radius: float
    water: float | None
    hfov: float
    step: float
    offset: tuple[float, float]
    aim: tuple[float, float]
    wander: tuple[float, float]
    phases: np.ndarray
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
    blur: float
    sharpen: float
    noise: tuple[float, float]
    quality: int | None


def material_of(seed: int, run: int) -> Material:
    """Material of a run: every eight runs meet all materials."""
    block, place = divmod(run, len(_CYCLE))
    order = np.random.default_rng([seed, block, 11]).permutation(len(_CYCLE))
    return MATERIALS[_CYCLE[order[place]]]


def draw_scene(seed: int, run: int) -> Scene:
    """Draw the parameters of a run.

    Args:
        seed: Seed of the whole data set, non-negative.
        run: Number of the run, non-negative.

    Returns:
        The same scene for the same arguments.
    """
    rng = np.random.default_rng([seed, run, 1])
    material = material_of(seed, run)

    def draw(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    radius = draw(*material.radius)
    color = np.array(material.colors[rng.integers(len(material.colors))])
    color = color * rng.uniform(0.85, 1.15, 3) * draw(0.8, 1.15)
    wet = rng.random() < 0.85
    water = radius * draw(0.45, 0.93)
    offset_y = radius * draw(-0.2, 0.3)
    # The camera and its wander (0.05 radius) stay clear of the water.
    offset_y = min(offset_y, water - 0.2 * radius) if wet else offset_y
    warm = draw(-1, 1)
    return Scene(
        material=material,
        color=color.astype(np.float32),
        radius=radius,
        water=water if wet else None,
        hfov=np.deg2rad(draw(50, 90)),
        step=draw(0.05, 0.3) * min(1.0, radius / 0.2),
        offset=(radius * draw(-0.15, 0.15), offset_y),
        aim=(np.deg2rad(draw(-5, 5)), np.deg2rad(draw(-5, 4))),
        wander=(draw(0.01, 0.04), np.deg2rad(draw(0.2, 1.5))),
        phases=rng.uniform(0, 2 * np.pi, (6, 3)),
        lamp_offset=(radius * draw(-0.1, 0.1), radius * draw(-0.2, 0.1)),
        beam_center=(draw(-0.1, 0.1), draw(-0.15, 0.1)),
        beam_width=draw(0.25, 0.7),
        beam_floor=draw(0.02, 0.25),
        shade=(draw(0.1, 0.75) * (rng.random() < 0.7), draw(0, 2 * np.pi)),
        penumbra=draw(0.08, 0.8),
        scatter=draw(0.05, 0.35),
        gloss=0.15 * draw(*material.gloss),
        light_color=np.array(
            [1 + 0.12 * warm, 1, 1 - 0.16 * warm], np.float32
        ),
        haze=draw(0.01, 0.2),
        haze_glow=draw(0.0, 0.03) ** 1.5,
        exposure=draw(0.4, 0.8),
        shoulder=draw(0.1, 0.8),
        black=draw(0.0, 0.03),
        blur=draw(0.25, 0.95),
        sharpen=draw(0.0, 0.5),
        noise=(draw(0.0005, 0.003), draw(0.0005, 0.006)),
        quality=int(rng.integers(70, 97)) if rng.random() < 0.6 else None,
    )


def camera_pose(scene: Scene, frame: int) -> np.ndarray:
    """Pose of a frame: steady advance, and a smooth small wander.

    Args:
        scene: The run.
        frame: Number of the frame, non-negative.

    Returns:
        Camera-to-world matrix ``(4, 4)``, float64, metres.
    """
    # Incommensurate periods of 5 to 30 frames: no two frames are alike.
    rates = np.array([0.21, 0.57, 1.13])
    weights = np.array([0.6, 0.3, 0.1])
    sway = np.sin(rates * frame + scene.phases) @ weights
    shift, turn = scene.wander
    pose = np.eye(4)
    pose[:3, :3] = rotation(
        scene.aim[0] + turn * sway[0],
        scene.aim[1] + turn * sway[1],
        0.5 * turn * sway[2],
    )
    pose[:3, 3] = (
        scene.offset[0] + scene.radius * shift * sway[3],
        scene.offset[1] + scene.radius * shift * sway[4],
        scene.step * (frame + 0.25 * sway[5]),
    )
    return pose
