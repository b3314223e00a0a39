"""Defects of a run: kinds, positions and severity."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmdsr.sim.scene.segments import nearest_joint

KINDS = {
    'RB': 'cracks, breaks',
    'OB': 'surface damage',
    'DE': 'deformation',
    'FS': 'displaced joint',
    'IS': 'intruding sealing material',
    'RO': 'roots',
    'IN': 'infiltration',
    'AF': 'settled deposits',
    'BE': 'attached deposits',
    'FO': 'obstacle',
    'GR': 'branch pipe',
    'IL': 'intruding lateral',
}
"""Codes of Sewer-ML, and IL of the Pipe data set, to their meaning.

The joint offset (JO) of the Pipe data set is FS here.
"""

AT_JOINTS = ('FS', 'IS', 'RO', 'IN')
"""Kinds that occur at joints; infiltration usually does."""

# Clock positions (12 is up) where a kind occurs, in hours before and after
# twelve; water and sediment collect at six.
_CLOCK = {
    'RB': (-5, 5),
    'OB': (-5, 5),
    'DE': (-6, 6),
    'FS': (-6, 6),
    'IS': (-5, 5),
    'RO': (-3.5, 3.5),
    'IN': (-3, 3),
    'AF': (6, 6),
    'BE': (-4, 4),
    'FO': (5.6, 6.4),
    'GR': (-4, 4),
    'IL': (-4, 4),
}


class Defect(NamedTuple):
    """A defect.

    Attributes:
        kind: Code, see `KINDS`.
        z: Position of its center along the pipe, meters.
        clock: Clock position, 12 being up and 3 right, in [0, 12).
        length: Meters along the pipe.
        extent: Meters around the pipe.
        severity: 0 slight to 1 grave.
    """

    kind: str
    z: float
    clock: float
    length: float
    extent: float
    severity: float

    @property
    def angle(self) -> float:
        """Direction from the axis in rad: 0 right, growing downwards."""
        return (self.clock / 12 - 0.25) * 2 * np.pi


def check_kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    """Raise an error for codes that the simulator does not know.

    Raises:
        ValueError: If a code is unknown; the message lists the known ones.
    """
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown:
        raise ValueError(
            f'unknown defects {", ".join(unknown)}: choose from '
            f'{", ".join(KINDS)}'
        )
    return tuple(kinds)


def draw_kinds(seed: int, run: int) -> tuple[str, ...]:
    """Draw the kinds of a run; a quarter of the runs has none."""
    rng = np.random.default_rng([seed, run, 6])
    if rng.random() < 0.25:
        return ()
    count = int(rng.integers(1, 6))
    return tuple(str(k) for k in rng.choice(list(KINDS), count, False))


def _measures(
    kind: str, rng: np.random.Generator, radius: float, severity: float
) -> tuple[float, float]:
    """Return the length along and extent around the pipe, meters."""
    around = 2 * np.pi * radius
    draw = rng.uniform
    if kind == 'RB':
        return draw(2, 5) * radius, around * draw(0.15, 0.5)
    if kind == 'OB':
        return draw(0.8, 2.5) * radius, around * draw(0.1, 0.3)
    if kind == 'DE':
        return draw(3, 6) * radius, around
    if kind in ('FS', 'IS'):
        return draw(0.01, 0.03), around
    if kind == 'RO':
        return draw(0.05, 0.15), around * draw(0.05, 0.4)
    if kind == 'IN':
        return draw(0.8, 2) * radius, around * 0.5
    if kind == 'AF':
        return draw(2, 6) * radius, radius * draw(0.8, 1.4)
    if kind == 'BE':
        return draw(0.6, 2) * radius, around * draw(0.08, 0.25)
    if kind == 'FO':
        return draw(0.1, 0.4), radius * draw(0.2, 0.5)
    # Both numbers are the bore of a lateral.
    bore = 2 * min(draw(0.04, 0.09), 0.45 * radius)
    return bore, bore


def draw_places(
    seed: int, run: int, count: int, start: float, ahead: float
) -> np.ndarray:
    """Draw the desired positions of defects along the pipe, in meters.

    Near positions are more common, because pictures are taken of near defects.

    Args:
        seed: Seed of the data set.
        run: Number of the run.
        count: How many.
        start: Start of the stretch that the camera sees, meters.
        ahead: Length of the part that it sees well, meters.

    Returns:
        z of each defect, well apart if there is room.
    """
    rng = np.random.default_rng([seed, run, 7])
    places = np.empty(count)
    for i in range(count):
        for _ in range(12):
            places[i] = start + ahead * rng.random() ** 1.5
            gaps = np.abs(places[:i] - places[i])
            if not i or gaps.min() > 0.1 * ahead:
                break
    return places


def shift_joints(
    kinds: Sequence[str], places: np.ndarray, ring: np.ndarray, period: float
) -> np.ndarray:
    """Shift the joints so that the first joint defect lies at one.

    Args:
        kinds: Codes of the defects.
        places: Their desired positions, meters.
        ring: Positions of the joints in one period, meters.
        period: Length of the period, meters.

    Returns:
        The joints, ascending in [0, period).
    """
    for kind, z in zip(kinds, places, strict=True):
        if kind in AT_JOINTS:
            return np.sort((ring + z - ring[0]) % period)
    return ring


def draw_defects(
    seed: int,
    run: int,
    kinds: Sequence[str],
    places: np.ndarray,
    radius: float,
    joints: np.ndarray,
) -> tuple[Defect, ...]:
    """Draw the defects at each position.

    Args:
        seed: Seed of the data set.
        run: Number of the run.
        kinds: Codes, one defect each.
        places: Their desired z, meters; kinds in `AT_JOINTS` are moved to the
            nearest joint.
        radius: Half width of the pipe, meters.
        joints: z of the joints ahead, meters.

    Returns:
        The defects, in the order of the codes.
    """
    defects = []
    for i, (kind, z) in enumerate(zip(kinds, places, strict=True)):
        rng = np.random.default_rng([seed, run, 7, i])
        severity = float(rng.uniform(0.1, 1.0))
        length, extent = _measures(kind, rng, radius, severity)
        low, high = _CLOCK[kind]
        clock = float(rng.uniform(low, high)) % 12
        z = float(z)
        if kind in AT_JOINTS:
            z = nearest_joint(joints, z)
        defects.append(Defect(kind, z, clock, length, extent, severity))
    return tuple(defects)
