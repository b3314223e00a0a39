import numpy as np
import pytest

from mmdsr.sim.shade.noise import (
    line_noise,
    slopes,
    spectral_noise,
    stamp_discs,
    stamp_walks,
    wrap_blur,
    wrap_distance,
)


def seam_jump(field, axis):
    """Mean step across the seam relative to the mean step inside."""
    steps = np.abs(np.diff(field, axis=axis)).mean()
    first, last = np.take(field, 0, axis), np.take(field, -1, axis)
    return np.abs(first - last).mean() / steps


def test_spectral_noise_is_normalised_and_periodic():
    rng = np.random.default_rng(0)
    field = spectral_noise(rng, (128, 256), (4, 60), 1.0)
    assert field.dtype == np.float32
    assert field.mean() == pytest.approx(0, abs=1e-4)
    assert field.std() == pytest.approx(1, abs=1e-3)
    assert 0.6 < seam_jump(field, 0) < 1.6
    assert 0.6 < seam_jump(field, 1) < 1.6


def test_spectral_noise_stays_in_its_band():
    rng = np.random.default_rng(0)
    field = spectral_noise(rng, (256, 256), (16, 64), 0.0)
    power = np.abs(np.fft.fft2(field)) ** 2
    fy, fx = np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256)[None]
    freq = np.hypot(fy, fx)
    inside = (freq > 1 / 100) & (freq < 1 / 11)
    assert power[inside].sum() > 0.97 * power.sum()


def test_stretch_makes_marks_long_around_the_pipe():
    rng = np.random.default_rng(0)
    field = spectral_noise(rng, (256, 256), (4, 64), 1.0, stretch=9.0)
    along, around = slopes(field)
    assert along.std() > 3 * around.std()


def test_line_noise_is_normalised():
    line = line_noise(np.random.default_rng(0), 1024, (4, 100))
    assert line.shape == (1024,)
    assert line.std() == pytest.approx(1, abs=1e-3)


def test_wrap_blur_keeps_a_constant_and_wraps():
    spot = np.zeros((32, 32), np.float32)
    spot[0, 0] = 1
    out = wrap_blur(spot, 1.5)
    assert out.sum() == pytest.approx(1, abs=1e-4)
    assert out[-1, 0] == pytest.approx(out[1, 0])
    assert out[0, -1] == pytest.approx(out[0, 1])


def test_discs_wrap_around():
    # Many large marks on a small tile: cut ones would show at the seam.
    discs = stamp_discs(np.random.default_rng(1), (96, 96), 60, (4, 9))
    assert 0 < discs.min() + discs.max() <= 1
    assert seam_jump(discs, 0) < 1.8
    assert seam_jump(discs, 1) < 1.8


def test_walks_follow_their_heading():
    lines = stamp_walks(
        np.random.default_rng(0), (128, 128), 3, (8, 8), 8, 0.0, 0.02, 0.02
    )
    rows, cols = np.nonzero(lines)
    assert len(np.unique(cols)) > 60
    assert len(np.unique(rows)) < 40


def test_wrap_distance_is_that_of_brute_force():
    mask = np.zeros((24, 32), np.uint8)
    mask[2, 30] = mask[20, 5] = 255
    found = wrap_distance(mask, 12)
    y, x = np.mgrid[:24, :32]
    slow = np.full(mask.shape, 12.0)
    for row, col in ((2, 30), (20, 5)):
        dy = np.minimum(abs(y - row), 24 - abs(y - row))
        dx = np.minimum(abs(x - col), 32 - abs(x - col))
        slow = np.minimum(slow, np.hypot(dy, dx))
    # OpenCV's 5x5 distance is good to two percent.
    np.testing.assert_allclose(found, slow, rtol=0.025)
    assert (wrap_distance(mask * 0, 7) == 7).all()
