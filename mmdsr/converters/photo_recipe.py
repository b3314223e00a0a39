"""The recipe of one pair: a crop, another view of it, and the flow between."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmdsr.converters.photo_files import Gate, passes
from mmdsr.converters.photo_pairs import (
    PairSpread,
    change_light,
    draw_homography,
    draw_occluder,
    hide,
    homography_flow,
    lies_within,
    render_view,
    sense,
)
from mmdsr.io.frames import MIN_LR_SIDE
from mmdsr.settings import Settings, setting
from mmdsr.sim.data.degrade import degrade

DEGRADATIONS = ('bicubic', 'realistic')
SCALE = 4
_TRIES = 20


@dataclass(frozen=True)
class Recipe(Settings):
    """How pairs are made.

    ``gate`` sets the requirements for a crop, ``spread`` the differences
    between the views of a pair.
    """

    size: tuple[int, int] = setting(
        (320, 320),
        'size of hr and ref, multiples of 4 (default %(default)s)',
        metavar=('W', 'H'),
    )
    seed: int = setting(0, 'seed of all draws (default %(default)s)', least=0)
    halve_above: int = setting(
        1600,
        'halve photographs whose longer side exceeds this (default '
        '%(default)s); most are soft at full size',
        metavar='PIXELS',
    )
    degradation: str = setting(
        'bicubic',
        'how the low-resolution images are made (default %(default)s; '
        'realistic adds blur, noise and compression)',
        choices=DEGRADATIONS,
    )
    gate: Gate = field(default_factory=Gate)
    spread: PairSpread = field(default_factory=PairSpread)

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            ValueError: If a value is invalid; the message names it.
        """
        super().__post_init__()
        if any(s % SCALE or s < MIN_LR_SIDE * SCALE for s in self.size):
            raise ValueError(
                f'size must be multiples of {SCALE} and at least '
                f'{MIN_LR_SIDE * SCALE}, not {self.size[0]}x{self.size[1]}.'
            )
        if not 0 <= self.spread.occluded <= 1:
            raise ValueError(
                'the share of occluded references must be in 0..1, not '
                f'{self.spread.occluded}.'
            )


def make_pair(
    photo: tuple[Any, ...],
    origins: list[tuple[int, int]],
    donor: Callable[..., Any],
    rng: np.random.Generator,
    recipe: Recipe,
) -> dict[str, Any]:
    """Make the images of one sample.

    Args:
        photo: Result of :func:`mmdsr.converters.photo_files.load_photo`.
        origins: ``(x, y)`` of good crops.
        donor: Function that returns the photograph, ``(H, W, 3)`` uint8, whose
            content is put in front of the scene, and its origins.
        rng: Source of the draws and of the noise.
        recipe: How pairs are made.

    Returns:
        ``hr``, ``ref``, ``lr`` (None for the bicubic one), ``flow`` and
        ``visible`` for :func:`mmdsr.io.layout.write_sample`.
    """
    full, image, factor = photo
    size, spread = recipe.size, recipe.spread
    origin = _draw_origin(image, origins, rng, recipe)
    hr = _cut(image, origin, size)
    to_full = np.array(
        [
            [factor, 0, factor * origin[0] + (factor - 1) / 2],
            [0, factor, factor * origin[1] + (factor - 1) / 2],
            [0, 0, 1],
        ]
    )
    strength = rng.random() ** 2
    for _ in range(_TRIES):
        hr_to_ref = draw_homography(rng, size, spread, strength)
        ref_to_full = to_full @ np.linalg.inv(hr_to_ref)
        if lies_within(ref_to_full, size, full.shape[1::-1]):
            break
        # Near the edge of a photograph, only small changes fit.
        strength *= 0.8
    else:
        hr_to_ref, ref_to_full = np.eye(3), to_full
    # From the photograph at full size, as a nearer view shows more detail.
    ref = render_view(full, ref_to_full, size)
    flow, visible = homography_flow(hr_to_ref, size, size, SCALE)
    if rng.random() < spread.occluded:
        hidden = draw_occluder(rng, size, spread)
        other, places = donor()
        patch = _cut(other, places[rng.integers(len(places))], size)
        mix = hidden[..., None]
        ref = np.rint(ref * (1 - mix) + patch * mix).astype(np.uint8)
        visible = hide(visible, flow, hidden, SCALE)
    ref = change_light(ref, rng, spread, rng.random() ** 2)
    ref = sense(ref, rng, spread)
    lr = degrade(hr, rng) if recipe.degradation == 'realistic' else None
    return {'hr': hr, 'ref': ref, 'lr': lr, 'flow': flow, 'visible': visible}


def _draw_origin(
    image: np.ndarray,
    origins: Sequence[tuple[int, int]],
    rng: np.random.Generator,
    recipe: Recipe,
) -> Sequence[int]:
    """Draw the position of a crop that passes the gate."""
    limit = np.array(image.shape[1::-1]) - recipe.size
    for _ in range(_TRIES):
        start = origins[rng.integers(len(origins))]
        reach = np.array(recipe.size) // 4
        place = start + rng.integers(-reach, reach, endpoint=True)
        place = place.clip(0, limit).tolist()
        if not passes(_cut(image, place, recipe.size), recipe.gate):
            return place
    return start


def _cut(
    image: np.ndarray, origin: Sequence[int], size: Sequence[int]
) -> np.ndarray:
    """Copy a window; origin and size have x first."""
    (x, y), (width, height) = origin, size
    return np.ascontiguousarray(image[y : y + height, x : x + width])
