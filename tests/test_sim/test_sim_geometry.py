import math

import numpy as np
import pytest

from mmdsr.sim import PipeRun
from mmdsr.sim.geometry import cylinder_distance, pixel_rays, rotation, trace
from mmdsr.sim.pipe_run import FAR


def first_wall_hit(origin, direction, radius, far):
    """March out of the pipe, then bisect: no closed form."""

    def outside(t):
        x = origin[0] + t * direction[0]
        y = origin[1] + t * direction[1]
        return math.hypot(x, y) > radius

    if not outside(far):
        return far
    low, high = 0.0, far
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (low, middle) if outside(middle) else (middle, high)
    return high


def depth_of_pixel(run, pose, row, col):
    """Depth of one pixel in plain Python."""
    matrix = run.intrinsics
    ray = (
        (col + 0.5 - matrix[0, 2]) / matrix[0, 0],
        (row + 0.5 - matrix[1, 2]) / matrix[1, 1],
        1.0,
    )
    world = [sum(pose[i, j] * ray[j] for j in range(3)) for i in range(3)]
    origin = [pose[i, 3] for i in range(3)]
    depth = first_wall_hit(origin, world, run.scene.radius, FAR)
    if run.scene.water is not None and world[1] > 0:
        depth = min(depth, (run.scene.water - origin[1]) / world[1])
    return depth


@pytest.mark.parametrize('number', [0, 1, 2, 3])
def test_depth_is_that_of_a_slow_intersection(number):
    run = PipeRun(4, number, (112, 80))
    frame = run.frame(5)
    rng = np.random.default_rng(number)
    pixels = rng.integers((0, 0), (80, 112), (60, 2))
    slow = [depth_of_pixel(run, frame.pose, r, c) for r, c in pixels]
    fast = frame.depth[pixels[:, 0], pixels[:, 1]]
    np.testing.assert_allclose(fast, slow, rtol=2e-6)
    # Some of the pixels show water, where the run has any.
    assert frame.depth.dtype == np.float32


def test_water_and_wall_are_both_hit():
    rays = pixel_rays(slice(0, 64), (96, 64), 60.0, np.eye(4))
    hits = trace(rays, np.zeros(3), 0.3, 0.15, 60.0)
    assert 0.2 < hits.water.mean() < 0.6
    down = rays[1][hits.water]
    np.testing.assert_allclose(hits.depth[hits.water], 0.15 / down, rtol=1e-6)
    # A mirrored ray ends on the wall, above the water, farther away.
    x, y = hits.x[hits.water], hits.y[hits.water]
    at_end = hits.path[hits.water] >= 60
    np.testing.assert_allclose(np.hypot(x, y)[~at_end], 0.3, rtol=1e-5)
    assert (y < 0.15).all()
    assert (hits.path[hits.water] > hits.depth[hits.water]).all()
    dry = trace(rays, np.zeros(3), 0.3, None, 60.0)
    assert not dry.water.any()
    above = ~hits.water
    np.testing.assert_array_equal(hits.depth[above], dry.depth[above])


def test_ripples_bend_mirrored_rays_but_leave_the_depth():
    rays = pixel_rays(slice(0, 64), (96, 64), 60.0, np.eye(4))
    still = trace(rays, np.zeros(3), 0.3, 0.15, 60.0)

    def ripple(x, z, t):
        return 0 * x + 0.1, 0 * x, x + 5

    rough = trace(rays, np.zeros(3), 0.3, 0.15, 60.0, ripple)
    np.testing.assert_array_equal(still.depth, rough.depth)
    moved = still.x != rough.x
    assert moved[still.water].mean() > 0.9
    assert not moved[~still.water].any()
    np.testing.assert_allclose(
        rough.scum, rough.surface_x[rough.water] + 5, rtol=1e-6
    )


def test_rays_along_the_axis_stop_at_the_far_limit():
    # An odd size has a pixel exactly on the optical axis.
    rays = pixel_rays(slice(0, 33), (33, 33), 20.0, np.eye(4))
    hits = trace(rays, np.zeros(3), 0.25, None, 60.0)
    assert hits.depth[16, 16] == 60
    assert np.isfinite(hits.depth).all()
    assert hits.depth.max() == 60
    # radius / tangent, next to it.
    assert hits.depth[16, 17] == pytest.approx(0.25 * 20)


def test_cylinder_distance_on_both_sides_of_the_cancellation():
    rng = np.random.default_rng(0)
    origin = rng.uniform(-0.15, 0.15, (2, 200))
    angle = rng.uniform(0, 2 * np.pi, 200)
    # Nearly along the axis up to straight across.
    across = 10 ** rng.uniform(-4, 0, 200)
    dx, dy = across * np.cos(angle), across * np.sin(angle)
    t, normal = cylinder_distance(*origin, dx, dy, 0.3)
    x, y = origin[0] + t * dx, origin[1] + t * dy
    np.testing.assert_allclose(np.hypot(x, y), 0.3, rtol=1e-9)
    np.testing.assert_allclose((x * dx + y * dy) / 0.3, normal, rtol=1e-6)
    assert (t > 0).all()


def test_rotation_directions():
    turn = rotation(0.1, 0.0, 0.0)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    ahead = np.array([0, 0, 1.0])
    assert (rotation(0.1, 0, 0) @ ahead)[0] > 0  # right
    assert (rotation(0, 0.1, 0) @ ahead)[1] < 0  # up
    np.testing.assert_allclose(rotation(0, 0, 0.3) @ ahead, ahead)
    both = rotation(0.2, -0.3, 0.4)
    assert np.linalg.det(both) == pytest.approx(1)


def test_pixel_rays_have_unit_depth():
    pose = np.eye(4)
    pose[:3, :3] = rotation(0.2, -0.1, 0.3)
    rays = pixel_rays(slice(8, 16), (32, 24), 25.0, pose)
    assert rays.shape == (3, 8, 32)
    optical = np.einsum('i,ihw->hw', pose[:3, 2], rays)
    np.testing.assert_allclose(optical, 1)
