"""The mark and the confidence picture."""

import cv2
import numpy as np
import pytest

from mmdsr.evidence.mark import draw_mark
from mmdsr.evidence.overlay import (
    INFERRED_COLOR,
    SEEN_COLOR,
    draw_confidence,
)
from mmdsr.evidence.record import SEEN


@pytest.mark.parametrize('size', [(96, 128), (576, 720), (2304, 2880)])
@pytest.mark.parametrize('color', [0, 128, 255])
def test_the_mark_can_be_seen_in_its_corner(size, color):
    image = np.full((*size, 3), color, np.uint8)
    draw_mark(image)
    rows, columns = np.nonzero((image != color).any(2))
    assert rows.min() > size[0] * 0.8
    assert columns.min() > size[1] * 0.4
    assert rows.max() > size[0] * 0.95
    assert columns.max() > size[1] * 0.95
    corner = image[rows.min() :, columns.min() :]
    # Letters and what is behind them, in full contrast.
    assert corner.min() == 0
    assert corner.max() > 220
    # Small: it takes less than 6 % of the picture.
    assert len(rows) < 0.06 * image[..., 0].size
    # Read from the left, it is a text of eight letters.
    bright = (corner[..., 0] > 128).any(0)
    assert 6 <= np.count_nonzero(np.diff(bright.astype(int)) == 1) <= 9


def test_the_mark_on_transparency():
    image = np.zeros((96, 128, 4), np.uint8)
    draw_mark(image)
    assert (image[-3:, -3:, 3] == 255).all()
    assert not image[0, 0].any()


def test_a_picture_that_is_too_small_for_the_mark():
    with pytest.raises(ValueError, match='32x24 pixels are too few'):
        draw_mark(np.zeros((24, 32, 3), np.uint8))


def test_colors_of_seen_and_inferred_pixels():
    image = np.full((96, 480, 3), 100, np.uint8)
    confidence = np.zeros((24, 120), np.float32)
    confidence[:, 60:] = 0.45
    drawn = draw_confidence(image, confidence, 'share', 'f1.png')
    assert drawn.shape[0] > 96
    assert drawn.shape[1] == 480
    left, right = drawn[48, 60].astype(int), drawn[48, 420].astype(int)
    # Half of the picture shines through.
    np.testing.assert_allclose(left, np.add(INFERRED_COLOR, 100) / 2, atol=1)
    np.testing.assert_allclose(right, np.add(SEEN_COLOR, 100) / 2, atol=12)
    # A line parts them, where the confidence rises past the limit.
    white = (drawn[48] == 255).all(1).nonzero()[0]
    assert len(white)
    assert abs(white - 240).min() <= 4
    # Lightness alone tells them apart, too.
    gray = cv2.cvtColor(drawn[:96], cv2.COLOR_RGB2GRAY).astype(int)
    assert gray[48, 60] - gray[48, 420] > 25


def test_legend_gives_the_share():
    image = np.full((64, 480, 3), 100, np.uint8)
    half = np.zeros((16, 120), np.float32)
    half[:, 60:] = SEEN

    def legend(*args):
        return draw_confidence(image, *args)[64:]

    share = legend(half, 'share', 'f1.png')
    assert not np.array_equal(share, legend(half, 'share', 'f2.png'))
    assert not np.array_equal(share, legend(half * 0, 'share', 'f1.png'))
    assert not np.array_equal(share, legend(half, 'score', 'f1.png'))
    # Both colors are in it, whatever the picture shows.
    for color in (SEEN_COLOR, INFERRED_COLOR):
        assert (abs(share.astype(int) - color).max(2) <= 2).any()
    # A long name, or one of two lines, stays within it.
    long = legend(half, 'share', 'f\n' + 'x' * 500)
    assert long.shape == share.shape
    assert not long[:, -8:].any()


def test_all_pixels_are_inferred_without_a_reference():
    image = np.full((40, 48, 4), 100, np.uint8)
    drawn = draw_confidence(image, None, 'share', 'none (a cut)')
    # Wide enough for the legend, though the picture is not.
    assert drawn.shape[1] == 420
    assert not drawn[:40, 48:].any()
    expected = np.add(INFERRED_COLOR, 100) / 2
    np.testing.assert_allclose(drawn[20, 24], expected, atol=1)


def test_interpolated_pixels_stay_gray():
    image = np.full((96, 480, 3), (200, 100, 50), np.uint8)
    confidence = np.full((24, 120), 0.5, np.float32)
    made = np.zeros((96, 480), bool)
    made[20:60, 100:300] = True
    drawn = draw_confidence(image, confidence, 'share', 'f1', made, 0.37)
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[0, 0]
    assert (drawn[:96][~made] == gray).all()
    inside = drawn[21:59, 101:299].astype(int)
    expected = np.add(SEEN_COLOR, int(gray)) / 2
    assert (np.abs(inside - expected).max(2) <= 1).all()
    # The line around what was seen is within it.
    assert (drawn[20, 100:300] == 255).all()
    # The legend says so, and the share that it is told.
    every = np.ones_like(made)
    legends = [
        draw_confidence(image, confidence, 'share', 'f1', *args)[96:]
        for args in ((made, 0.37), (made, 0.38), (every, 0.37), ())
    ]
    assert not any(
        np.array_equal(legends[n], legends[m])
        for n in range(4)
        for m in range(n)
    )
