"""Convert defects to geometry for ray tracing: bodies and pipe faults."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from mmdsr.sim.scene.defects import Defect
from mmdsr.sim.scene.scene import Scene
from mmdsr.sim.scene.section import section_exit
from mmdsr.sim.scene.segments import Segments, nearest_joint
from mmdsr.sim.trace.bodies import Bodies, Shape, box, capsule, ellipsoid, tube
from mmdsr.sim.trace.geometry import rotation

Color = Sequence[float] | np.ndarray

_LIME = (0.50, 0.47, 0.40)
_GREASE = (0.38, 0.30, 0.21)
_MUD = (0.15, 0.11, 0.075)
_GRAVEL = (0.26, 0.23, 0.19)


def joint_steps(
    defects: Sequence[Defect], scene: Scene, joints: np.ndarray
) -> dict[float, np.ndarray]:
    """Return the shift of what follows each displaced joint.

    Args:
        defects: Defects of the run.
        scene: The run.
        joints: z of the joints.

    Returns:
        z of each displaced joint, mapped to the shift (x, y) in meters.
    """
    steps: dict[float, np.ndarray] = {}
    for defect in defects:
        if defect.kind == 'FS':
            size = scene.radius * (0.05 + 0.17 * defect.severity)
            way = np.array([np.cos(defect.angle), np.sin(defect.angle)])
            z = nearest_joint(joints, defect.z)
            steps[z] = steps.get(z, np.zeros(2)) + size * way
    return steps


def squeezes(
    defects: Sequence[Defect],
) -> list[tuple[float, float, float, float]]:
    """Return deformations for `mmdsr.sim.scene.segments.lay_segments`."""
    return [
        (
            defect.z,
            defect.length / 2,
            0.08 + 0.22 * defect.severity,
            defect.angle,
        )
        for defect in defects
        if defect.kind == 'DE'
    ]


class _Builder:
    """Collector of bodies, with their common parameters."""

    def __init__(self, scene: Scene, segments: Segments) -> None:
        self.scene, self.segments = scene, segments
        self.rows: list[np.ndarray] = []
        self.spheres: list[np.ndarray] = []
        self.colors: list[np.ndarray] = []
        self.looks: list[tuple[float, float]] = []
        self.opacities: list[float] = []
        self.owners: list[int] = []
        self.owner = 0

    def add(
        self,
        shape: Shape,
        color: Color,
        rough: float = 1.0,
        gloss: float = 0.05,
        opacity: float = 1.0,
    ) -> None:
        row, sphere = shape
        self.rows.append(row)
        self.spheres.append(sphere)
        self.colors.append(np.asarray(color, np.float32))
        self.looks.append((rough, gloss))
        self.opacities.append(opacity)
        self.owners.append(self.owner)

    def wall(
        self, z: float, angle: float, inset: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return a point near the wall and the outward direction."""
        way = np.array([np.cos(angle), np.sin(angle)])
        t, _, _ = section_exit(*self.scene.shape, 0.0, 0.0, *way)
        center = self.segments.center(z)
        point = np.array([*(center + way * (t - inset)), z])
        return point, np.array([*way, 0.0])

    def invert(self, z: float, shift: float = 0.0) -> np.ndarray:
        """Return a point on the invert, ``shift`` meters to the right."""
        _, bottom = self.scene.extent
        angle = np.arctan2(bottom, shift)
        return self.wall(z, angle)[0]

    def finish(self) -> Bodies:
        count = len(self.rows)
        return Bodies(
            np.array(self.rows).reshape(count, 14),
            np.array(self.spheres).reshape(count, 4),
            np.array(self.colors, np.float32).reshape(count, 3),
            np.array(self.looks, np.float32).reshape(count, 2),
            np.array(self.opacities, np.float32),
            np.array(self.owners, np.uint8),
        )


def _tint(
    rng: np.random.Generator, color: Color, spread: float = 0.15
) -> np.ndarray:
    return np.array(color) * rng.uniform(1 - spread, 1 + spread, 3)


def _random_axes(rng: np.random.Generator) -> np.ndarray:
    return rotation(*rng.uniform(-np.pi, np.pi, 3))


def _settled(
    build: _Builder, defect: Defect, rng: np.random.Generator
) -> None:
    """Add sediment on the invert: many flat lumps with some gravel."""
    radius = build.scene.radius
    height = radius * (0.06 + 0.22 * defect.severity)
    mud = rng.random() < 0.6
    color = _tint(rng, _MUD if mud else _GRAVEL)
    gloss = 0.5 * rng.random() if mud else 0.02
    # Broad and flat below, rough on top.
    for fine in (0.0,) * 10 + (1.0,) * int(rng.integers(20, 40)):
        along = rng.uniform(-0.5, 0.5) * (1 - 0.2 * fine)
        side = rng.normal(0, 0.25) * defect.extent / 2
        center = build.invert(defect.z + along * defect.length, side)
        # Highest in the middle.
        lump = height * (1 - 3 * along * along) * rng.uniform(0.6, 1)
        wide = defect.extent * rng.uniform(0.25, 0.5)
        if fine:
            center[1] -= 0.7 * lump
            wide *= 0.3
            lump *= 0.4
        turn = rotation(rng.uniform(-0.5, 0.5), 0, rng.uniform(-0.1, 0.1))
        build.add(
            ellipsoid(
                center,
                turn.T,
                (wide, max(lump, 0.003), wide * rng.uniform(1.2, 3)),
            ),
            color * rng.uniform(0.9, 1.1),
            2.0,
            gloss,
        )
    for _ in range(int(rng.integers(0, 25)) * (not mud)):
        along, side = rng.uniform(-0.45, 0.45), rng.normal(0, 0.25)
        center = build.invert(
            defect.z + along * defect.length, side * defect.extent / 2
        )
        center[1] -= height * (1 - 3 * along * along) * 0.75
        grain = radius * rng.uniform(0.02, 0.06)
        build.add(
            ellipsoid(
                center, _random_axes(rng), grain * rng.uniform(0.6, 1.2, 3)
            ),
            _tint(rng, _GRAVEL, 0.06) * rng.uniform(0.6, 1.4),
            1.5,
        )


def _attached(
    build: _Builder, defect: Defect, rng: np.random.Generator
) -> None:
    """Add encrustation or grease: lumps on the wall."""
    radius = build.scene.radius
    color = _tint(rng, _LIME if rng.random() < 0.5 else _GREASE, 0.08)
    gloss = 0.2 * rng.random()
    thick = radius * (0.05 + 0.2 * defect.severity)
    for _ in range(int(rng.integers(70, 120))):
        u, v = rng.normal(0, 0.22, 2)
        angle = defect.angle + v * defect.extent / radius
        lump = thick * np.exp(-5 * (u * u + v * v)) * rng.uniform(0.4, 1)
        point, out = build.wall(defect.z + u * defect.length, angle)
        side = np.array([-out[1], out[0], 0])
        axes = np.stack([out, side, [0, 0, 1]])
        # Lumps of all sizes, the largest in the middle.
        wide = 0.04 + 0.2 * rng.random() ** 3 * np.exp(-3 * (u * u + v * v))
        build.add(
            ellipsoid(
                point,
                axes,
                (lump, wide * defect.extent, wide * defect.length),
            ),
            color * rng.uniform(0.85, 1.15),
            2.5,
            gloss,
        )


def _obstacle(
    build: _Builder, defect: Defect, rng: np.random.Generator
) -> None:
    """Add a stone, a brick, a stick or a bottle on the invert."""
    radius = build.scene.radius
    size = radius * (0.16 + 0.2 * defect.severity)
    base = build.invert(defect.z, rng.normal(0, 0.12) * radius)
    what = rng.choice(['stone', 'brick', 'stick', 'bottle'])
    if what == 'stone':
        color = _tint(rng, (0.3, 0.28, 0.25), 0.3)
        for _ in range(5):
            shift = rng.normal(0, 0.3, 3) * size
            build.add(
                ellipsoid(
                    base + shift - (0, 0.5 * size, 0),
                    _random_axes(rng),
                    size * rng.uniform(0.6, 1.1, 3),
                ),
                color,
                1.5,
            )
    elif what == 'brick':
        # At most a standard brick; fragments in narrow pipes.
        halves = np.array([0.9, 0.45, 1.6]) * min(size, 0.07)
        turn = rotation(rng.uniform(-1.5, 1.5), 0, rng.uniform(-0.3, 0.3))
        build.add(
            box(base - (0, 0.8 * halves[1], 0), turn.T, halves),
            _tint(rng, (0.36, 0.13, 0.07)),
            1.5,
        )
    else:
        slim = what == 'stick'
        thick = size * (0.15 if slim else 0.4)
        long = size * (3.0 if slim else 1.2)
        way = rotation(rng.uniform(-1.2, 1.2), rng.uniform(-0.1, 0.3), 0)
        way = way[:, 2] * long
        foot = base - (0, thick, 0)
        paint = (0.2, 0.13, 0.07) if slim else rng.uniform(0.1, 0.6, 3)
        build.add(
            capsule(foot - way / 2, foot + way / 2, thick),
            _tint(rng, paint),
            0.6,
            0.05 if slim else 0.8,
        )
        if not slim:
            tip = foot + way * 0.95
            build.add(capsule(foot, tip, thick * 0.45), _tint(rng, paint), 0.4)


def _roots(build: _Builder, defect: Defect, rng: np.random.Generator) -> None:
    """Add the strands that grow out of a joint and hang down."""
    radius = build.scene.radius
    color = _tint(rng, (0.24, 0.15, 0.08), 0.25)
    count = int(15 + 60 * defect.severity * rng.uniform(0.6, 1))
    reach = radius * (0.35 + 0.75 * defect.severity)
    for strand in range(count):
        thick = radius * rng.uniform(0.002, 0.006)
        if strand < 1 + 4 * defect.severity:
            thick = radius * rng.uniform(0.01, 0.03)
        angle = defect.angle + rng.normal(0, 0.3) * defect.extent / radius
        point, out = build.wall(defect.z, angle, -0.01)
        way = -out + rng.normal(0, 0.5, 3)
        steps = int(rng.integers(3, 6))
        step = reach * rng.uniform(0.3, 1.0) / steps
        for k in range(steps):
            way = way + rng.normal(0, 0.5, 3) + (0, 0.35, 0)
            way /= np.linalg.norm(way)
            tip = point + step * way
            slim = thick * (1 - 0.6 * k / steps)
            build.add(capsule(point, tip, slim), color, 0.5)
            point = tip


def _sealing(
    build: _Builder, defect: Defect, rng: np.random.Generator
) -> None:
    """Add a rubber ring that has slipped out of its joint."""
    radius = build.scene.radius
    half = rng.uniform(0.5, 1.3)
    sag = radius * (0.12 + 0.28 * defect.severity)
    thick = rng.uniform(0.004, 0.008) * min(1.0, radius / 0.2)
    lean = rng.uniform(-0.3, 0.3) * sag
    color = np.full(3, rng.uniform(0.02, 0.06))
    share = np.linspace(-1, 1, 15)
    points = []
    for u in share:
        inset = sag * (1 - u * u) + thick
        point, _ = build.wall(defect.z, defect.angle + half * u, inset)
        points.append(point + np.array([0, 0, lean * (1 - u * u)]))
    for start, stop in pairwise(points):
        build.add(capsule(start, stop, thick), color, 0.3, 0.6)


def _water_jet(
    build: _Builder, defect: Defect, rng: np.random.Generator
) -> None:
    """Add water that spouts from a joint, if the infiltration is severe."""
    if defect.severity < 0.55:
        return
    scene = build.scene
    floor = scene.extent[1] if scene.water is None else scene.water
    for _ in range(int(3 + 9 * defect.severity)):
        angle = defect.angle + rng.normal(0, 0.04)
        point, out = build.wall(defect.z, angle)
        speed = -out * rng.uniform(0.1, 1.1) * np.sqrt(scene.radius / 0.2)
        speed[2] = rng.normal(0, 0.15)
        thick = rng.uniform(0.0006, 0.002)
        for _ in range(14):
            step = 0.02 * np.sqrt(scene.radius / 0.2)
            tip = point + step * speed
            speed = speed + np.array([0, 9.81 * step, 0])
            build.add(
                capsule(point, tip, thick), (0.5, 0.52, 0.5), 0.2, 1.0, 0.6
            )
            point = tip
            if point[1] > floor:
                break


def _lateral(
    build: _Builder, defect: Defect, rng: np.random.Generator
) -> None:
    """Add a branch pipe, flush (GR) or protruding from the wall (IL)."""
    scene = build.scene
    point, out = build.wall(defect.z, defect.angle)
    foot = np.array([*build.segments.center(defect.z), defect.z])
    # Laterals join in the direction of flow, at 45 to 90 degrees.
    axis = out + np.array([0, 0, rng.uniform(-0.9, 0.15)])
    axis /= np.linalg.norm(axis)
    foot = point - axis * ((point - foot) @ out) / (axis @ out)
    wall = float((point - foot) @ axis)
    inner = defect.length / 2
    colors = ((0.40, 0.17, 0.07), (0.36, 0.36, 0.35), (0.42, 0.20, 0.09))
    color = _tint(rng, colors[rng.integers(3)])
    if defect.kind == 'GR':
        shape = tube(foot, axis, inner, inner, 0.0, wall + 2.0, wall)
    else:
        reach = scene.radius * (0.12 + 0.5 * defect.severity)
        outer = inner + rng.uniform(0.004, 0.009)
        shape = tube(foot, axis, inner, outer, wall - reach, wall + 2.0, wall)
    build.add(shape, color, 0.6, 0.3)


_MAKERS = {
    'AF': _settled,
    'BE': _attached,
    'FO': _obstacle,
    'RO': _roots,
    'IS': _sealing,
    'IN': _water_jet,
    'GR': _lateral,
    'IL': _lateral,
}


def build_bodies(
    defects: tuple[Defect, ...],
    scene: Scene,
    segments: Segments,
    seed: int,
    run: int,
) -> Bodies:
    """Build the bodies of a run's defects.

    Args:
        defects: The defects.
        scene: The run.
        segments: The pipe.
        seed: Seed of the data set.
        run: Number of the run.

    Returns:
        The bodies, `Bodies.owner` counting the defects from 1.
    """
    build = _Builder(scene, segments)
    for i, defect in enumerate(defects):
        if defect.kind in _MAKERS:
            build.owner = i + 1
            rng = np.random.default_rng([seed, run, 8, i])
            _MAKERS[defect.kind](build, defect, rng)
    return build.finish()
