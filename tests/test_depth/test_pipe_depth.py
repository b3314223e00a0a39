import numpy as np
import pytest
from pipe_pictures import FOCAL, SIZE, pipe_picture

from mmdsr.depth import build_provider
from mmdsr.depth.edges import log_luma
from mmdsr.depth.pipe import PipeDepth, pipe_depth
from mmdsr.depth.waterline import WaterLines, find_water_lines, water_height
from mmdsr.evaluation.depth_metrics import depth_errors

HFOV = float(np.rad2deg(2 * np.arctan(SIZE[0] / 2 / FOCAL)))


def test_depth_on_the_axis_is_f_r_over_r():
    depth = pipe_depth((40, 30), (20, 15), 50.0, 0.3, far=1e9)
    for row, column in ((0, 0), (29, 39), (3, 20), (15, 2)):
        r = np.hypot(column + 0.5 - 20, row + 0.5 - 15)
        assert depth[row, column] == pytest.approx(50 * 0.3 / r, rel=1e-5)


@pytest.mark.parametrize('water', [None, 0.5])
def test_is_where_a_ray_meets_the_wall(water):
    size, focal, radius = (64, 48), 60.0, 0.25
    point, offset = (40.0, 18.0), (0.2, -0.3)
    depth = pipe_depth(size, point, focal, radius, offset, water)
    axis = np.array([(point[0] - 32) / focal, (point[1] - 24) / focal, 1])
    axis /= np.linalg.norm(axis)
    # Right is horizontal in the image of a camera that is not rolled.
    right = np.array([1, 0, 0]) - axis[0] * axis
    right /= np.linalg.norm(right)
    down = np.cross(axis, right)
    for row in range(0, 48, 7):
        for column in range(1, 64, 9):
            ray = np.array(
                [(column + 0.5 - 32) / focal, (row + 0.5 - 24) / focal, 1]
            )

            def inside(t, ray=ray):
                x, y = t * ray @ right / radius, t * ray @ down / radius
                dry = water is None or y < water
                return dry and np.hypot(x + offset[0], y + offset[1]) < 1

            low, high = 0.0, 60.0
            for _ in range(50):
                middle = (low + high) / 2
                low, high = (middle, high) if inside(middle) else (low, middle)
            assert depth[row, column] == pytest.approx(low, rel=1e-4)


def test_is_bounded_and_known_everywhere():
    depth = pipe_depth((33, 21), (16.5, 10.5), 30.0, 0.2, far=20)
    assert np.isfinite(depth).all()
    assert depth.max() == 20
    assert depth.min() > 0
    assert depth.dtype == np.float32


@pytest.mark.parametrize(
    ('point', 'offset', 'water'),
    [
        ((150, 110), (0.1, 0.1), 0.5),
        ((190, 100), (0.0, -0.15), 0.9),
        ((140, 125), (-0.2, 0.0), None),
    ],
)
def test_recovers_a_pipe(point, offset, water):
    image, true = pipe_picture(point, offset, water)
    found = build_provider('pipe', radius=1.0, hfov=HFOV)(image)
    assert (found.kind, found.problem) == ('metric', '')
    seen = np.where(true < 30, true, np.nan)
    errors = depth_errors(found.depth, seen)
    assert errors['abs_rel'] < 0.1
    assert errors['delta_1.25'] > 0.9
    if water is not None:
        dry = build_provider('pipe', radius=1.0, hfov=HFOV, water='none')
        without = depth_errors(dry(image).depth, seen)
        assert without['abs_rel'] > errors['abs_rel'] + 0.02


def test_water_is_found_only_where_there_is_some():
    for water in (0.5, 0.8, None):
        image, _ = pipe_picture((160, 120), water=water)
        luma = log_luma(image)
        scale = luma.shape[1] / SIZE[0]
        lines = find_water_lines(luma, (160 * scale - 0.5, 120 * scale - 0.5))
        if water is None:
            assert lines is None
            continue
        true = np.rad2deg(np.arctan2(np.sqrt(1 - water**2), water))
        assert lines.left == pytest.approx(true, abs=4)
        assert lines.right == pytest.approx(true, abs=4)
        assert water_height(lines, (0, 0)) == pytest.approx(water, abs=0.06)


def test_a_worn_band_above_the_water_is_not_the_water():
    image, depth = pipe_picture((160, 120), water=0.7)
    higher = pipe_depth(SIZE, (160, 120), FOCAL, 1.0, (0, 0), 0.4)
    band = (higher < depth - 1e-4)[..., None]
    image = np.where(band, 0.6 * image, image).astype(np.uint8)
    luma = log_luma(image)
    scale = luma.shape[1] / SIZE[0]
    lines = find_water_lines(luma, (160 * scale - 0.5, 120 * scale - 0.5))
    inner = np.rad2deg(np.arccos(0.7))
    assert lines.left == pytest.approx(inner, abs=4)
    assert lines.right == pytest.approx(inner, abs=4)


def test_water_height_inverts_the_geometry():
    for right, below, level in ((0, 0, 0.7), (0.2, -0.3, 0.5), (-0.1, 0.2, 1)):
        # The surface lies `below + h` under the axis.
        h = level - below
        chord = np.sqrt(1 - level**2)
        angles = np.arctan2([chord + right, chord - right], h)
        lines = WaterLines(*np.rad2deg(angles), 1.0)
        assert water_height(lines, (right, below)) == pytest.approx(h)


def test_assumed_camera_gives_relative_depth():
    image, _ = pipe_picture((160, 120))
    assert PipeDepth()(image).kind == 'relative'
    assert PipeDepth(radius=0.3)(image).kind == 'relative'
    assert PipeDepth(radius=0.3, hfov=60)(image).kind == 'metric'
    ratio = PipeDepth(radius=0.4)(image).depth / PipeDepth()(image).depth
    assert np.median(ratio) == pytest.approx(2)


@pytest.mark.parametrize(
    'image',
    [
        np.zeros((64, 96, 3), np.uint8),
        np.full((1, 1, 3), 200, np.uint8),
        np.full((1, 5000, 3), 200, np.uint8),
        np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8),
    ],
)
def test_a_fallback_is_a_whole_map(image):
    found = PipeDepth()(image)
    assert found.problem
    assert found.depth.shape == image.shape[:2]
    assert np.isfinite(found.depth).all()
    assert (found.depth > 0).all()


@pytest.mark.parametrize(
    ('options', 'word'),
    [
        ({'radius': 0}, 'radius'),
        ({'radius': float('nan')}, 'radius'),
        ({'hfov': 180}, 'hfov'),
        ({'far': 0.1}, 'far'),
        ({'water': 'some'}, 'water'),
    ],
)
def test_refuses_senseless_options(options, word):
    with pytest.raises(ValueError, match=word):
        PipeDepth(**options)
