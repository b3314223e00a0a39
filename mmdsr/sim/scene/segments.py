"""The pipe as a row of straight segments, which may be displaced.

Segment i reaches from joint i to joint i + 1. Its center line is straight
and its sections lie in planes across z, so that a ray meets it in closed
form; a bend is a row of segments that turn a little at each joint. Where
the centers of two neighbors differ, the end face of one of them shows.
"""

from typing import NamedTuple

import numpy as np

from mmdsr.sim.scene.scene import Scene

# Columns of `Segments.table`.
Z0, CX, CY, SX, SY, SQUEEZE, MIDDLE, REACH, COS, SIN = range(10)
HORIZON = 75.0
"""Meters of pipe with joints; beyond, it is one endless segment."""
BEHIND = 3.0
"""Meters of pipe behind the camera's start."""


class Segments(NamedTuple):
    """The segments of a run.

    Attributes:
        table: Float64 ``(N, 10)``, rows by ascending z: z of the first
            joint, center (x, y) there, slope of the center (x, y) per meter
            of z; deformation: relative squeeze (0 none), z of its middle,
            half its length, cosine and sine of the direction that widens.
        joints: z of the joints, meters, the first N - 1 after the start.
    """

    table: np.ndarray
    joints: np.ndarray

    def center(self, z: float) -> np.ndarray:
        """Return the center (x, y) of the pipe at z, meters."""
        row = self.table[np.searchsorted(self.joints, z, 'right')]
        return row[CX : CY + 1] + row[SX : SY + 1] * (z - row[Z0])


def nearest_joint(joints: np.ndarray, z: float) -> float:
    """Return the joint nearest to a position."""
    return float(joints[np.argmin(np.abs(joints - z))])


def joints_of(ring: np.ndarray, period: float) -> np.ndarray:
    """Return the joints from behind the camera to the horizon.

    Args:
        ring: Positions of the joints in one period of the wall's rings,
            meters.
        period: Length of that period in meters.

    Returns:
        Their z, ascending.
    """
    times = np.arange(-1, np.ceil(HORIZON / period) + 1)
    z = (ring[None] + period * times[:, None]).ravel()
    return np.sort(z[(z > -BEHIND) & (z < HORIZON)])


def lay_segments(
    scene: Scene,
    joints: np.ndarray,
    steps: dict[float, np.ndarray],
    squeezes: list[tuple[float, float, float, float]],
    rng: np.random.Generator,
) -> Segments:
    """Lay the pipe.

    Args:
        scene: The run, which gives the bend and the usual misfit of joints.
        joints: z of the joints, ascending.
        steps: z of each displaced joint, mapped to the shift (x, y) in meters
            of everything after it.
        squeezes: Deformations: z of the middle, half length, relative
            change of the diameter, direction in rad that widens.
        rng: Source of the joints' small misfits.

    Returns:
        The segments.
    """
    edges = np.concatenate([[-BEHIND - 10], joints])
    bend = scene.bend

    # Away and back again, along the camera's way at the manhole, z = 0.
    swing = bend.slope * bend.period / (2 * np.pi)
    away = swing * (1 - np.cos(2 * np.pi * edges.clip(0) / bend.period))
    centers = away[:, None] * np.array(bend.direction)
    slopes = np.zeros_like(centers)
    slopes[:-1] = np.diff(centers, axis=0) / np.diff(edges)[:, None]
    slopes[-1] = slopes[-2]
    shift = np.zeros_like(centers)
    for z, step in steps.items():
        shift[edges >= z - 1e-9] += step
    misfit = rng.normal(0, scene.misfit, centers.shape)
    table = np.zeros((len(edges), 10))
    table[:, Z0] = edges
    table[:, CX : CY + 1] = centers + shift + misfit
    table[:, SX : SY + 1] = slopes
    table[:, REACH] = 1
    table[:, COS] = 1
    for middle, reach, squeeze, direction in squeezes:
        i = int(np.searchsorted(joints, middle, 'right'))
        # A segment deforms between its joints, which hold their shape.
        stop = edges[i + 1] if i + 1 < len(edges) else np.inf
        reach = min(reach, middle - edges[i], stop - middle)
        table[i, SQUEEZE:] = (
            squeeze,
            middle,
            reach,
            np.cos(direction),
            np.sin(direction),
        )
    return Segments(table, joints)
