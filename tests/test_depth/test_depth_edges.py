import numpy as np
import pytest
from pipe_pictures import pipe_picture

from mmdsr.depth.edges import (
    WIDTH,
    darkness,
    find_edges,
    find_shading,
    log_luma,
)


def ramp(angle, height=96, width=128):
    """Brightness that rises in one direction, with a step in the middle."""
    y, x = np.mgrid[:height, :width]
    along = np.cos(angle) * (x - width / 2) + np.sin(angle) * (y - height / 2)
    gray = 120 + 0.5 * along + 40 * (along > 0)
    return np.repeat(gray[..., None], 3, 2).astype(np.uint8)


@pytest.mark.parametrize('angle', [0.0, 0.7, 2.0, -1.3])
def test_normals_point_to_the_bright_side(angle):
    luma = log_luma(ramp(angle))
    way = np.array([np.cos(angle), np.sin(angle)])
    for found in (find_edges(luma), find_shading(luma)):
        assert found.weights.min() >= 0
        assert found.weights.max() <= 1
        strong = found.weights > 0.5
        assert (found.normals[strong] @ way).mean() > 0.9
    edges = find_edges(luma)
    along = (edges.points - [64, 48]) @ way
    # The step is where the strongest edges are.
    best = np.argsort(edges.weights)[-100:]
    assert np.abs(along[best]).max() < 6


def test_exposure_is_a_constant():
    image = pipe_picture((160, 120))[0]
    half = log_luma((image // 2 * 2) // 2)
    difference = log_luma(image) - half
    assert np.std(difference) < 0.05
    assert log_luma(np.zeros_like(image)) is None


def test_size_is_bounded_and_small_images_are_not_enlarged():
    for shape, wanted in (
        ((720, 1280), (72, WIDTH)),
        ((1280, 720), (WIDTH, 72)),
        ((30, 40), (30, 40)),
        ((1, 5000), (1, WIDTH)),
    ):
        assert log_luma(np.full((*shape, 3), 90, np.uint8)).shape == wanted


def test_darkness_is_a_rank():
    image = pipe_picture((100, 90))[0]
    dark = darkness(log_luma(image))
    assert dark.min() >= 0
    assert dark.max() == 1
    y, x = np.unravel_index(dark.argmax(), dark.shape)
    assert np.hypot(x * 320 / WIDTH - 100, y * 320 / WIDTH - 90) < 15
    assert dark[0, 0] < 0.5


def test_few_edges_are_an_even_choice():
    luma = log_luma(pipe_picture((160, 120))[0])
    every, few = find_edges(luma, 10**6), find_edges(luma, 500)
    assert len(few.points) == 500 < len(every.points)
    np.testing.assert_allclose(
        few.points.mean(axis=0), every.points.mean(axis=0), atol=6
    )
