"""Depth as a picture."""

import numpy as np

from mmdsr.io.depth_colors import UNKNOWN, color_nearness


def test_near_is_bright_and_unknown_is_gray():
    nearness = np.array([[0, 0.5, 1, np.nan]])
    picture = color_nearness(nearness).astype(int)
    brightness = picture.sum(axis=2)[0]
    assert brightness[0] < brightness[1] < brightness[2]
    assert picture[0, 3].tolist() == list(UNKNOWN)
    red, _, blue = picture[0, 1]
    assert red > blue  # RGB, not BGR


def test_depths_have_different_colors_and_are_clipped():
    picture = color_nearness(np.linspace(0, 1, 32)[:, None, None])
    assert picture.shape == (32, 1, 3)
    assert len({tuple(color) for color in picture[:, 0]}) == 32
    ends = color_nearness(np.array([[-np.inf, 0, 1, 2]]))[0]
    np.testing.assert_array_equal(ends[::3], ends[1:3])
