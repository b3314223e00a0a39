import math

import numpy as np
import pytest

from mmdsr.sim.scene.segments import Segments
from mmdsr.sim.trace.bodies import (
    Bodies,
    box,
    capsule,
    ellipsoid,
    trace_bodies,
    tube,
)
from mmdsr.sim.trace.geometry import Camera, Pipe, rotation, trace

SIZE = (60, 40)
RADIUS = 0.3
AXES = rotation(0.4, -0.3, 0.7).T


def bodies(*shapes, opacity=1.0):
    count = len(shapes)
    return Bodies(
        np.array([row for row, _ in shapes]),
        np.array([sphere for _, sphere in shapes]),
        np.ones((count, 3), np.float32),
        np.zeros((count, 2), np.float32),
        np.full(count, opacity, np.float32),
        np.arange(1, count + 1, dtype=np.uint8),
    )


def view(shapes, water=None, rows=slice(0, SIZE[1])):
    table = np.zeros((1, 10))
    table[0] = (-10, 0, 0, 0, 0, 0, 0, 1, 1, 0)
    pipe = Pipe((0, RADIUS, RADIUS), Segments(table, np.zeros(0)), water, 60.0)
    lens = Camera(np.eye(4), 40.0, (SIZE[0] / 2, SIZE[1] / 2))
    hits = trace(rows, SIZE[0], lens, pipe)
    return trace_bodies(rows, SIZE[0], lens, bodies(*shapes), hits), hits


def as_map(found):
    depth = np.full(SIZE[::-1], np.inf)
    if found is not None:
        depth[found.at] = found.depth
    return depth


def segment_distance(p, a, b):
    way = b - a
    share = np.clip((p - a) @ way / (way @ way), 0, 1)[..., None]
    return np.linalg.norm(p - a - share * way, axis=-1)


CENTER = np.array([0.05, 0.02, 1.0])


def own(p):
    """Points (..., 3) in half axes of the ellipsoid and the box."""
    return (p - CENTER) @ AXES.T / (0.12, 0.06, 0.08)


SHAPES = {
    'ellipsoid': (
        ellipsoid(CENTER, AXES, (0.12, 0.06, 0.08)),
        lambda p: np.linalg.norm(own(p), axis=-1) < 1,
    ),
    'box': (
        box(CENTER, AXES, (0.12, 0.06, 0.08)),
        lambda p: (np.abs(own(p)) < 1).all(-1),
    ),
    'capsule': (
        capsule(CENTER, CENTER + np.array([0.1, -0.12, 0.2]), 0.05),
        lambda p: (
            segment_distance(p, CENTER, CENTER + np.array([0.1, -0.12, 0.2]))
            < 0.05
        ),
    ),
}


def first_inside(holds, ray, stop):
    """March along a ray, then bisect."""
    steps = np.arange(0.02, stop, 0.002)
    inside = holds(steps[:, None] * ray)
    if not inside.any():
        return math.inf
    high = steps[inside.argmax()]
    low = high - 0.002
    for _ in range(40):
        middle = (low + high) / 2
        if holds(middle * ray):
            high = middle
        else:
            low = middle
    return high


@pytest.mark.parametrize('name', SHAPES)
def test_hits_are_those_of_a_slow_march(name):
    shape, holds = SHAPES[name]
    found, hits = view([shape])
    depth = as_map(found)
    hit = miss = 0
    for row in range(2, 38, 2):
        for col in range(12, 50, 2):
            ray = np.array([(col + 0.5 - 30) / 40, (row + 0.5 - 20) / 40, 1])
            slow = first_inside(holds, ray, 1.6)
            if slow < hits.depth[row, col]:
                assert depth[row, col] == pytest.approx(slow, abs=1e-4)
                hit += 1
            elif slow == math.inf:
                # The march may step over a sliver at the border.
                middle = depth[row, col] + 1e-3
                assert depth[row, col] == math.inf or not holds(middle * ray)
                miss += 1
    assert hit > 6
    assert miss > 8


@pytest.mark.parametrize('name', SHAPES)
def test_normals_face_the_camera_and_fit_the_surface(name):
    shape, holds = SHAPES[name]
    found, _ = view([shape])
    x = (found.at[1] + 0.5 - 30) / 40
    y = (found.at[0] + 0.5 - 20) / 40
    point = np.stack([x, y, np.ones_like(x)]) * found.depth
    np.testing.assert_allclose(
        np.linalg.norm(found.normal, axis=0), 1, rtol=1e-5
    )
    assert ((found.normal * point).sum(0) < 1e-6).all()
    # A step inwards along the normal is inside, one outwards is not.
    inside = [holds(p) for p in (point - 1e-3 * found.normal).T]
    outside = [holds(p) for p in (point + 1e-3 * found.normal).T]
    assert np.mean(inside) > 0.95
    assert np.mean(outside) < 0.05


def test_the_nearer_body_is_seen():
    far = ellipsoid((0, 0, 2.0), np.eye(3), (0.2, 0.2, 0.2))
    near = ellipsoid((0, 0, 1.0), np.eye(3), (0.04, 0.04, 0.04))
    one, _ = view([far, near])
    other, _ = view([near, far])
    np.testing.assert_array_equal(as_map(one), as_map(other))
    # The pixel's center is half a pixel off the axis, both ways.
    assert as_map(one)[20, 30] == pytest.approx(0.9638, abs=1e-4)
    assert set(one.body) == {0, 1}


def test_bodies_behind_the_wall_and_under_water_are_hidden():
    outside = ellipsoid((0.6, 0, 1.0), np.eye(3), (0.1, 0.1, 0.1))
    behind = ellipsoid((0, 0, -1.0), np.eye(3), (0.1, 0.1, 0.1))
    assert view([outside, behind])[0] is None
    sunk = ellipsoid((0, 0.2, 1.0), np.eye(3), (0.05, 0.05, 0.05))
    dry, _ = view([sunk])
    assert len(dry.body) > 10
    assert view([sunk], water=0.14)[0] is None


def test_blocks_of_rows_make_up_the_frame():
    shape, _ = SHAPES['box']
    whole = as_map(view([shape])[0])
    part, _ = view([shape], rows=slice(18, 30))
    depth = np.full((12, SIZE[0]), np.inf)
    depth[part.at] = part.depth
    np.testing.assert_array_equal(depth, whole[18:30])


def test_a_flush_lateral_is_a_hole_in_the_wall():
    axis = np.array([1.0, 0, 0])
    shape = tube((0, 0, 0.8), axis, 0.08, 0.08, 0.0, 1.5, RADIUS)
    found, hits = view([shape])
    assert found.inside.all()
    # It shows exactly where the wall within its bore was seen.
    x, y, z = hits.x, hits.y, hits.z
    bore = (np.hypot(y, z - 0.8) < 0.08) & (x > 0)
    seen = np.isfinite(as_map(found))
    np.testing.assert_array_equal(seen, bore)
    assert (found.depth > hits.depth[found.at]).all()
    # What is seen lies on the lateral's wall.
    depth = as_map(found)[seen]
    row, _col = np.nonzero(seen)
    py = (row + 0.5 - 20) / 40 * depth
    np.testing.assert_allclose(np.hypot(py, depth - 0.8), 0.08, atol=1e-5)


def test_an_intruding_lateral_shows_rim_outside_and_inside():
    axis = np.array([0.6, 0, 0.8])
    shape = tube((0, 0, 0.6), axis, 0.06, 0.08, 0.15, 2.0, RADIUS / 0.6)
    found, _hits = view([shape])
    assert found.inside.any()
    assert (~found.inside).any()
    ray = np.stack(
        [
            (found.at[1] + 0.5 - 30) / 40,
            (found.at[0] + 0.5 - 20) / 40,
            np.ones(len(found.body)),
        ]
    )
    point = ray * found.depth - np.array([[0], [0], [0.6]])
    along = axis @ point
    away = np.linalg.norm(point - axis[:, None] * along, axis=0)
    rim = np.abs(along - 0.15) < 1e-4
    assert rim.any()
    assert ((away[rim] > 0.06 - 1e-4) & (away[rim] < 0.08 + 1e-4)).all()
    np.testing.assert_allclose(away[found.inside], 0.06, atol=1e-4)
    shell = ~rim & ~found.inside
    np.testing.assert_allclose(away[shell], 0.08, atol=1e-4)
    assert (along[shell] > 0.15 - 1e-4).all()


def test_a_hair_covers_a_share_of_its_pixels():
    start, stop = np.array([-0.1, 0, 1.0]), np.array([0.1, 0, 1.0])
    pixel = 1 / 40
    hair, _ = view([capsule(start, stop, 0.1 * pixel)])
    rope, _ = view([capsule(start, stop, 2 * pixel)])
    assert (rope.cover == 1).all()
    assert hair.cover.max() < 0.3
    # As wide as a pixel, so that it neither vanishes nor breaks.
    assert len(np.unique(hair.at[1])) >= 8
    assert len(np.unique(hair.at[0])) <= 2
