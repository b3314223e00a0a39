import math

import numpy as np
import pytest

from mmdsr.sim import PipeRun
from mmdsr.sim.pipe_run import FAR
from mmdsr.sim.scene.section import (
    CODES,
    arc_exit,
    extent,
    outline,
    perimeter_table,
    section_exit,
    section_holds,
)
from mmdsr.sim.scene.segments import CX, SX, Z0, Segments
from mmdsr.sim.trace.follow import squeeze_at
from mmdsr.sim.trace.geometry import Camera, Pipe, rotation, trace

SHAPES = [(0, 0.3, 0.3), (1, 0.3, 0.3), (2, 0.3, 0.4)]


def camera(size=(96, 64), focal=60.0, pose=None):
    pose = np.eye(4) if pose is None else pose
    return Camera(pose, focal, (size[0] / 2, size[1] / 2))


def straight(shape=(0, 0.3, 0.3), water=None):
    table = np.zeros((1, 10))
    table[0] = (-10, 0, 0, 0, 0, 0, 0, 1, 1, 0)
    return Pipe(shape, Segments(table, np.zeros(0)), water, FAR)


def look(pipe, size=(96, 64), **kwargs):
    return trace(slice(0, size[1]), size[0], camera(size), pipe, **kwargs)


def inside_pipe(pipe, x, y, z):
    """Whether a point is in the pipe, from its description alone."""
    segments = pipe.segments
    i = np.searchsorted(segments.joints, z, 'right')
    row = segments.table[i]
    px = x - row[1] - row[3] * (z - row[0])
    py = y - row[2] - row[4] * (z - row[0])
    squeeze, middle, reach, cos, sin = row[5:]
    share = (z - middle) / reach
    bump = squeeze * (1 - share**2) ** 2 if abs(share) < 1 else 0.0
    u = (cos * px + sin * py) / (1 + bump)
    v = (cos * py - sin * px) / (1 - bump)
    px, py = cos * u - sin * v, sin * u + cos * v
    code, r, h = pipe.section
    if code == CODES['circular']:
        return math.hypot(px, py) < r
    if code == CODES['box']:
        return abs(px) < r and abs(py) < h
    # The egg: the two side circles cut by its upper and lower parts.
    if py <= 0:
        return math.hypot(px, py) < r
    if py <= 1.8 * r:
        return (
            math.hypot(px - 2 * r, py) < 3 * r
            and math.hypot(px + 2 * r, py) < 3 * r
        )
    return math.hypot(px, py - 1.5 * r) < 0.5 * r


def slow_depth(pipe, origin, ray):
    """March in small steps until outside or below the water, then bisect."""

    def outside(t):
        x, y, z = (o + t * d for o, d in zip(origin, ray, strict=True))
        wet = pipe.water is not None and y > pipe.water
        return wet or not inside_pipe(pipe, x, y, z)

    t, step = 0.0, 0.002
    while not outside(t + step):
        t += step
        step = min(step * 1.0005, 0.01)
        if t >= pipe.far:
            return pipe.far
    low, high = t, t + step
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if outside(middle) else (middle, high)
    return high


@pytest.mark.parametrize(
    ('number', 'kinds'),
    [(0, ()), (1, ('FS',)), (2, ('DE',)), (4, ('FS', 'FS')), (6, ('DE',))],
)
def test_depth_is_that_of_a_slow_march(number, kinds):
    run = PipeRun(4, number, (112, 80), noise=False, defects=kinds)
    frame = run.frame(2)
    pipe = run._world.pipe
    rng = np.random.default_rng(number)
    pixels = rng.integers((0, 0), (80, 112), (40, 2))
    origin = frame.pose[:3, 3]
    for row, col in pixels:
        x, y = (col + 0.5, row + 0.5) - frame.intrinsics[:2, 2]
        local = np.array([x, y, frame.intrinsics[0, 0]])
        ray = frame.pose[:3, :3] @ (local / frame.intrinsics[0, 0])
        slow = slow_depth(pipe, origin, ray)
        if frame.defect[row, col] or slow > 20:
            # Thin lips are missed by the march's steps.
            assert frame.depth[row, col] <= slow * (1 + 1e-5)
        else:
            assert frame.depth[row, col] == pytest.approx(slow, rel=1e-5)


@pytest.mark.parametrize('shape', SHAPES)
def test_rays_leave_the_section_at_its_border(shape):
    rng = np.random.default_rng(0)
    low, high = extent(*shape)
    checked = 0
    while checked < 200:
        x, y = rng.uniform(-0.3, 0.3), rng.uniform(low, high)
        if not section_holds(*shape, x, y):
            continue
        checked += 1
        angle = rng.uniform(0, 2 * np.pi)
        # Nearly along the axis up to straight across.
        size = 10 ** rng.uniform(-4, 0)
        dx, dy = size * np.cos(angle), size * np.sin(angle)
        t, nx, ny = section_exit(*shape, x, y, dx, dy)
        assert t > 0
        assert math.hypot(nx, ny) == pytest.approx(1)
        assert nx * dx + ny * dy > 0
        for share, expected in ((1 - 1e-6, True), (1 + 1e-6, False)):
            at = t * share
            assert section_holds(*shape, x + at * dx, y + at * dy) is expected


@pytest.mark.parametrize('shape', SHAPES)
def test_outline_and_perimeter(shape):
    angle = np.linspace(0, 2 * np.pi, 60001)
    points = outline(*shape, angle)
    low, high = extent(*shape)
    assert points[:, 1].min() == pytest.approx(low, abs=1e-5)
    assert points[:, 1].max() == pytest.approx(high, abs=1e-5)
    length = np.hypot(*np.diff(points, axis=0).T).sum()
    table, perimeter = perimeter_table(*shape)
    assert perimeter == pytest.approx(length, rel=1e-4)
    assert table[0] == 0
    assert table[-1] == 1
    assert (np.diff(table) > 0).all()
    if shape[0] == CODES['circular']:
        assert perimeter == pytest.approx(2 * np.pi * 0.3, rel=1e-5)
        np.testing.assert_allclose(table, np.linspace(0, 1, len(table)))


def test_arc_exit_on_both_sides_of_the_cancellation():
    rng = np.random.default_rng(0)
    for _ in range(100):
        ox, oy = rng.uniform(-0.15, 0.15, 2)
        angle, size = rng.uniform(0, 2 * np.pi), 10 ** rng.uniform(-4, 0)
        dx, dy = size * np.cos(angle), size * np.sin(angle)
        t = arc_exit(0.0, 0.0, 0.3, ox, oy, dx, dy)
        assert math.hypot(ox + t * dx, oy + t * dy) == pytest.approx(
            0.3, rel=1e-9
        )
        assert t > 0
    assert arc_exit(0.0, 0.0, 0.3, 1.0, 0.0, 0.0, 1.0) == math.inf


def test_a_displaced_joint_shows_its_end_face():
    table = np.zeros((2, 10))
    table[:] = (-10, 0, 0, 0, 0, 0, 0, 1, 1, 0)
    table[1, Z0], table[1, CX] = 1.0, 0.05
    pipe = Pipe((0, 0.3, 0.3), Segments(table, np.array([1.0])), None, FAR)
    hits = look(pipe)
    # The second segment lies to the right: its end face shows at the left.
    assert hits.face.any()
    assert (hits.x[hits.face] < 0).all()
    np.testing.assert_allclose(hits.depth[hits.face], 1.0)
    np.testing.assert_allclose(hits.normal[2][hits.face], -1)
    x, y = hits.x[hits.face], hits.y[hits.face]
    assert (np.hypot(x, y) <= 0.3 + 1e-6).all()
    assert (np.hypot(x - 0.05, y) >= 0.3 - 1e-6).all()
    # On the right the nearer segment's edge hides what lies behind it.
    middle = hits.depth[32]
    step = np.diff(middle[60:])
    assert (step <= 1e-6).all()
    assert step.min() < -0.1


def test_a_bend_hides_the_far_end():
    table = np.zeros((3, 10))
    table[:] = (-10, 0, 0, 0, 0, 0, 0, 1, 1, 0)
    table[1:, Z0] = 1.0, 3.0
    table[1:, SX] = 0.3
    table[2, CX] = 0.6
    joints = np.array([1.0, 3.0])
    pipe = Pipe((0, 0.3, 0.3), Segments(table, joints), None, FAR)
    # An odd size: one ray runs exactly along the first segment.
    lens = Camera(np.eye(4), 60.0, (48.5, 32.5))
    hits = trace(slice(0, 65), 97, lens, pipe)
    assert not hits.face.any()
    # Straight ahead is the wall of the bend, x = 0.3 (z - 1) - 0.3.
    assert hits.depth[32, 48] == pytest.approx(2.0)


def test_a_deformed_pipe_is_an_ellipse():
    table = np.zeros((1, 10))
    table[0] = (-10, 0, 0, 0, 0, 0.2, 1.0, 0.6, 1, 0)
    pipe = Pipe((0, 0.3, 0.3), Segments(table, np.zeros(0)), None, FAR)
    hits = look(pipe)
    e = np.array([squeeze_at(table[0], z) for z in hits.z.ravel()])
    u = hits.x.ravel() / (1 + e)
    v = hits.y.ravel() / (1 - e)
    near = hits.path.ravel() < FAR
    np.testing.assert_allclose(np.hypot(u, v)[near], 0.3, rtol=1e-4)
    assert e.max() == pytest.approx(0.2, abs=0.01)
    # Normals against finite differences of the implicit surface.
    point = np.stack([hits.x, hits.y, hits.z], -1).reshape(-1, 3)

    def level(p):
        e = np.array([squeeze_at(table[0], z) for z in p[:, 2]])
        return np.hypot(p[:, 0] / (1 + e), p[:, 1] / (1 - e))

    slope = [level(point + d) - level(point - d) for d in np.eye(3) * 1e-4]
    slope = -np.stack(slope)
    slope /= np.linalg.norm(slope, axis=0)
    normal = hits.normal.reshape(3, -1)
    assert (slope * normal).sum(0)[near].min() > 0.995


def test_water_and_wall_are_both_hit():
    hits = look(straight(water=0.15))
    assert 0.2 < hits.water.mean() < 0.6
    down = hits.tilt[hits.water]
    np.testing.assert_allclose(hits.depth[hits.water], 0.15 / down, rtol=1e-6)
    # A mirrored ray ends on the wall, above the water, farther away.
    x, y = hits.x[hits.water], hits.y[hits.water]
    at_end = hits.path[hits.water] >= 60
    np.testing.assert_allclose(np.hypot(x, y)[~at_end], 0.3, rtol=1e-5)
    assert (y < 0.15).all()
    assert (hits.path[hits.water] > hits.depth[hits.water]).all()
    dry = look(straight())
    assert not dry.water.any()
    above = ~hits.water
    np.testing.assert_array_equal(hits.depth[above], dry.depth[above])


def test_ripples_bend_mirrored_rays_but_leave_the_depth():
    still = look(straight(water=0.15))

    def ripple(x, z, t):
        return 0 * x + 0.1, 0 * x, x + 5

    rough = look(straight(water=0.15), ripple=ripple)
    np.testing.assert_array_equal(still.depth, rough.depth)
    moved = still.x != rough.x
    assert moved[still.water].mean() > 0.9
    assert not moved[~still.water].any()
    np.testing.assert_allclose(
        rough.scum, rough.surface_x[rough.water] + 5, rtol=1e-6
    )


def test_rays_along_the_axis_stop_at_the_far_limit():
    # An odd size has a pixel exactly on the optical axis.
    lens = Camera(np.eye(4), 20.0, (16.5, 16.5))
    hits = trace(slice(0, 33), 33, lens, straight((0, 0.25, 0.25)))
    assert hits.depth[16, 16] == 60
    for plane in (hits.depth, hits.grazing, *hits.normal):
        assert np.isfinite(plane).all()
    assert hits.depth.max() == 60
    # radius / tangent, next to it.
    assert hits.depth[16, 17] == pytest.approx(0.25 * 20)


def test_blocks_of_rows_make_up_the_frame():
    pipe = straight(water=0.15)
    whole = look(pipe)
    lower = trace(slice(40, 64), 96, camera(), pipe)
    np.testing.assert_array_equal(whole.depth[40:], lower.depth)
    np.testing.assert_array_equal(whole.x[40:], lower.x)


def test_rotation_directions():
    turn = rotation(0.1, 0.0, 0.0)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    ahead = np.array([0, 0, 1.0])
    assert (rotation(0.1, 0, 0) @ ahead)[0] > 0  # right
    assert (rotation(0, 0.1, 0) @ ahead)[1] < 0  # up
    np.testing.assert_allclose(rotation(0, 0, 0.3) @ ahead, ahead)
    both = rotation(0.2, -0.3, 0.4)
    assert np.linalg.det(both) == pytest.approx(1)
