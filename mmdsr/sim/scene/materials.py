"""Wall materials of the simulated pipes."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Material:
    """Look of a wall material; ranges are drawn once per run.

    Attributes:
        name: Its name.
        colors: Base colors, linear RGB reflectance.
        radius: Half width of the pipe in meters.
        sections: Share of each cross-section.
        joint_spacing: Meters between joints.
        relief: RMS slope of the fine relief.
        grain: RMS of the fine reflectance variation.
        specks: Marks (aggregate, minerals, droplets) per pixel of texture
            times 1000.
        speck_contrast: Reflectance change of a speck, dark to bright.
        ring_pitch: Meters between corrugations, or None.
        ring_slope: Largest slope of the corrugations.
        ring_tone: RMS reflectance variation from ring to ring.
        cover: Share of the wall under wet or dirty patches.
        cracks: Cracks per square meter.
        gloss: Strength of highlights.
        stretch: Fine marks are longer around the pipe by this factor.
    """

    name: str
    colors: tuple[tuple[float, float, float], ...]
    radius: tuple[float, float]
    sections: dict[str, float]
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
            radius=(0.1, 0.35),
            sections={'circular': 1.0},
            joint_spacing=(2.0, 3.0),
            relief=(0.022, 0.068),
            grain=(0.022, 0.06),
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
            radius=(0.15, 1.0),
            sections={'circular': 0.6, 'egg': 0.2, 'box': 0.2},
            joint_spacing=(1.0, 2.5),
            relief=(0.03, 0.105),
            grain=(0.03, 0.075),
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
            radius=(0.1, 0.25),
            sections={'circular': 1.0},
            joint_spacing=(1.0, 1.5),
            relief=(0.022, 0.075),
            grain=(0.03, 0.075),
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
            radius=(0.3, 0.9),
            sections={'circular': 0.4, 'egg': 0.4, 'box': 0.2},
            joint_spacing=(2.0, 3.0),
            relief=(0.03, 0.075),
            grain=(0.038, 0.075),
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
            radius=(0.1, 0.3),
            sections={'circular': 1.0},
            joint_spacing=(2.0, 3.0),
            relief=(0.015, 0.045),
            grain=(0.022, 0.06),
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

# Eight consecutive runs have the materials in these proportions, in an order
# shuffled anew for each block of eight.
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


def material_of(seed: int, run: int) -> Material:
    """Return the material of a run; every block of eight runs has all."""
    block, place = divmod(run, len(_CYCLE))
    order = np.random.default_rng([seed, block, 11]).permutation(len(_CYCLE))
    return MATERIALS[_CYCLE[order[place]]]
