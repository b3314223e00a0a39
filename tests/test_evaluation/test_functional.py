import numpy as np
import pytest
from PIL import Image

from mmdsr.evaluation import psnr, ssim, to_uint8, to_y, upscale
from mmdsr.evaluation.functional import MAX_PSNR


def pair(seed=0, height=23, width=30):
    rng = np.random.default_rng(seed)
    hr = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    noise = rng.normal(0, 12, hr.shape)
    return np.clip(hr + noise, 0, 255), hr


def loop_y(image):
    luma = np.zeros(image.shape[:2])
    for i, j in np.ndindex(luma.shape):
        r, g, b = (float(value) for value in image[i, j])
        luma[i, j] = 16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255
    return luma


def loop_ssim(a, b):
    """The definition, window by window."""
    offsets = np.arange(11) - 5
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    weights = np.outer(line, line) / line.sum() ** 2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for i in range(a.shape[0] - 10):
        for j in range(a.shape[1] - 10):
            x, y = a[i : i + 11, j : j + 11], b[i : i + 11, j : j + 11]
            mx, my = (weights * x).sum(), (weights * y).sum()
            vx = (weights * (x - mx) ** 2).sum()
            vy = (weights * (y - my) ** 2).sum()
            cov = (weights * (x - mx) * (y - my)).sum()
            values.append(
                (2 * mx * my + c1)
                * (2 * cov + c2)
                / ((mx**2 + my**2 + c1) * (vx + vy + c2))
            )
    return np.mean(values)


def test_y_of_the_corners():
    colors = {
        (0, 0, 0): 16,
        (255, 255, 255): 235,
        (255, 0, 0): 81.481,
        (0, 255, 0): 144.553,
        (0, 0, 255): 40.966,
    }
    for color, luma in colors.items():
        image = np.array([[color]], np.uint8)
        np.testing.assert_allclose(to_y(image), luma)


def test_against_loops():
    sr, hr = pair()
    rounded = np.rint(sr)
    y_sr, y_hr = loop_y(rounded), loop_y(hr)
    error = sum(
        (a - b) ** 2 for a, b in zip(y_sr.flat, y_hr.flat, strict=True)
    )
    expected = 10 * np.log10(255**2 * y_hr.size / error)
    np.testing.assert_allclose(psnr(sr, hr), expected)
    np.testing.assert_allclose(ssim(sr, hr), loop_ssim(y_sr, y_hr))
    expected = np.mean(
        [
            loop_ssim(rounded[..., c], hr[..., c].astype(float))
            for c in range(3)
        ]
    )
    np.testing.assert_allclose(ssim(sr, hr, 'RGB'), expected)


def test_against_scikit_image():
    metrics = pytest.importorskip('skimage.metrics')
    sr, hr = pair(1, 40, 33)
    sr = to_uint8(sr)
    np.testing.assert_allclose(
        psnr(sr, hr, 'RGB'), metrics.peak_signal_noise_ratio(hr, sr)
    )
    options = dict(
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    # It, too, leaves out the 5 pixels at the border.
    expected = metrics.structural_similarity(
        hr.astype(float), sr.astype(float), channel_axis=2, **options
    )
    np.testing.assert_allclose(ssim(sr, hr, 'RGB'), expected, rtol=1e-6)
    expected = metrics.structural_similarity(to_y(hr), to_y(sr), **options)
    np.testing.assert_allclose(ssim(sr, hr, 'Y'), expected, rtol=1e-6)


def test_known_values():
    hr = np.full((16, 16, 3), 100, np.uint8)
    sr = np.full((16, 16, 3), 110, np.uint8)
    np.testing.assert_allclose(psnr(sr, hr, 'RGB'), 20 * np.log10(25.5))
    # The luma spans 219 of 255 steps.
    np.testing.assert_allclose(
        psnr(sr, hr), 20 * np.log10(255 / (10 * 219 / 255))
    )
    # Finite, so that a black frame does not make the mean of a set infinite.
    assert psnr(hr, hr) == MAX_PSNR == 100
    large = np.zeros((1200, 1200, 3), np.uint8)
    other = large.copy()
    other[0, 0] = 1
    assert psnr(other, large) == MAX_PSNR
    assert ssim(hr, hr) == pytest.approx(1)


def test_predictions_are_rounded_and_clipped():
    hr = np.full((16, 16, 3), 100, np.uint8)
    assert psnr(hr + 0.4, hr) == MAX_PSNR
    assert psnr(hr + 0.6, hr) < 50
    white = np.full((16, 16, 3), 255, np.uint8)
    assert psnr(white + 30.0, white) == MAX_PSNR
    with pytest.raises(ValueError, match='NaN'):
        psnr(np.full((16, 16, 3), np.nan), hr)


def test_the_border_counts():
    sr, hr = pair()
    sr = hr.copy()
    sr[0, 0] = 255 - sr[0, 0]
    assert np.isfinite(psnr(sr, hr))


def test_refuses():
    sr, hr = pair()
    with pytest.raises(ValueError, match='differ in shape'):
        psnr(sr[:-1], hr)
    with pytest.raises(ValueError, match='mode'):
        psnr(sr, hr, 'y')
    with pytest.raises(ValueError, match='RGB'):
        psnr(sr[..., 0], hr[..., 0])
    with pytest.raises(ValueError, match='at least 11x11'):
        ssim(sr[:10], hr[:10])


def test_upscale_is_pillows_bicubic():
    _, image = pair()
    large = upscale(image)
    expected = Image.fromarray(image).resize((120, 92), Image.BICUBIC)
    np.testing.assert_array_equal(large, np.asarray(expected))
