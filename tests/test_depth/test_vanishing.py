import cv2
import numpy as np
import pytest
from pipe_pictures import SIZE, pipe_picture

from mmdsr.depth.edges import Edges
from mmdsr.depth.vanishing import (
    LEAST_CONFIDENCE,
    convergence,
    divergence,
    find_vanishing_point,
)

POINTS = [(160, 120), (95, 140), (230, 80), (60, 60), (270, 170)]


def distance(found, point):
    return np.hypot(found.x - point[0], found.y - point[1])


@pytest.mark.parametrize('point', POINTS)
@pytest.mark.parametrize('offset', [(0, 0), (0.2, -0.1)])
def test_vanishing_point_is_found_anywhere(point, offset):
    found = find_vanishing_point(pipe_picture(point, offset)[0])
    assert found.problem == ''
    assert found.confidence > LEAST_CONFIDENCE
    assert distance(found, point) < 6
    assert np.hypot(*np.subtract(found.offset, offset)) < 0.2


def test_offset_has_the_right_signs():
    for offset in ((0.3, 0), (-0.3, 0), (0, 0.3), (0, -0.3)):
        found = find_vanishing_point(pipe_picture((160, 120), offset)[0])
        assert np.dot(found.offset, offset) > 0.3 * 0.15


def test_does_not_follow_exposure_noise_text_or_size():
    point = (120, 100)
    image = pipe_picture(point)[0]
    rng = np.random.default_rng(1)
    text = image.copy()
    for row in (18, 40, 228):
        cv2.putText(
            text, 'FROM 03 TO 04  28.6 m', (4, row), 0, 0.7, (255,) * 3, 2
        )
    changed = {
        'dark': image * 0.3,
        'bright': np.minimum(image * 1.7, 255),
        'gamma': 255 * (image / 255) ** 0.6,
        'noise': np.clip(image + rng.normal(0, 9, image.shape), 0, 255),
        'text': text,
        'blue': image * np.array([0.4, 0.7, 1.0]),
    }
    for name, other in changed.items():
        found = find_vanishing_point(other.astype(np.uint8))
        assert not found.problem, name
        assert distance(found, point) < 8, name
    large = cv2.resize(image, (960, 720), interpolation=cv2.INTER_CUBIC)
    found = find_vanishing_point(large)
    assert np.hypot(found.x / 3 - 120, found.y / 3 - 100) < 5


def test_is_the_same_at_every_call():
    image = pipe_picture((100, 130))[0]
    assert find_vanishing_point(image) == find_vanishing_point(image)


def wall(rng):
    """Stains of all sizes, lit evenly: the camera looks at the wall."""
    image = np.full((240, 320), 130.0, np.float32)
    for step in (6, 12, 30):
        noise = rng.normal(0, 25, (240 // step, 320 // step))
        image += cv2.resize(
            noise.astype(np.float32), SIZE, interpolation=cv2.INTER_CUBIC
        )
    return np.repeat(image.clip(0, 255).astype(np.uint8)[..., None], 3, 2)


@pytest.mark.parametrize(
    ('image', 'word'),
    [
        (np.zeros((240, 320, 3), np.uint8), 'black'),
        (np.full((240, 320, 3), 2, np.uint8), 'black'),
        (np.full((240, 320, 3), 255, np.uint8), 'no structure'),
        (np.full((1, 1, 3), 99, np.uint8), 'too small'),
        (np.full((20000, 1, 3), 99, np.uint8), 'too'),
        (np.full((1, 20000, 3), 99, np.uint8), 'too'),
        (wall(np.random.default_rng(0)), 'does not look down'),
        (wall(np.random.default_rng(1)), 'does not look down'),
        (wall(np.random.default_rng(2)), 'does not look down'),
        (
            np.random.default_rng(0).integers(
                0, 256, (240, 320, 3), dtype=np.uint8
            ),
            'does not look down',
        ),
    ],
)
def test_falls_back_to_the_center_with_a_reason(image, word):
    found = find_vanishing_point(image)
    assert word in found.problem
    assert found.confidence < LEAST_CONFIDENCE
    assert (found.x, found.y) == (image.shape[1] / 2, image.shape[0] / 2)
    assert found.offset == (0, 0)


def test_a_bright_end_is_refused_rather_than_misplaced():
    image = 255 - pipe_picture((120, 100))[0]
    assert 'does not look down' in find_vanishing_point(image).problem


def random_edges(rng, count=40):
    normals = rng.normal(size=(count, 2))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return Edges(
        rng.uniform(0, 60, (count, 2)), normals, rng.uniform(size=count)
    )


def test_scores_equal_means():
    rng = np.random.default_rng(0)
    edges = random_edges(rng)
    candidates = rng.uniform(0, 60, (5, 2))
    fit, rise = convergence(edges, candidates), divergence(edges, candidates)
    for i, candidate in enumerate(candidates):
        fits, weights, rises = [], [], []
        for point, normal, weight in zip(*edges, strict=True):
            away = point - candidate
            turn = np.arctan2(*normal[::-1]) - np.arctan2(*away[::-1])
            rises.append(weight * np.cos(turn))
            if np.hypot(*away) > 3:
                fits.append(weight * np.cos(4 * turn))
                weights.append(weight)
        assert fit[i] == pytest.approx(sum(fits) / sum(weights), abs=1e-5)
        assert rise[i] == pytest.approx(
            sum(rises) / edges.weights.sum(), abs=1e-5
        )


def test_rings_about_a_bright_spot_are_no_pipe():
    """A lamp's reflection on a corrugated wall has sharper rings."""
    image = pipe_picture((60, 120))[0].astype(float)
    y, x = np.mgrid[:240, :320] + 0.5
    r = np.hypot(x - 225, y - 120)
    rings = (230 - 1.2 * r) * (1 + 0.4 * np.sin(r / 2.5))
    near = (r < 110)[..., None]
    image = np.where(near, rings[..., None], image).clip(0, 255)
    found = find_vanishing_point(image.astype(np.uint8))
    assert not found.problem
    assert distance(found, (60, 120)) < 10
