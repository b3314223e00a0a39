import numpy as np
import pytest

from mmdsr.evaluation import make_strip, psnr, upscale
from mmdsr.io.depth_colors import color_nearness


def colors(seed, height, width):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def panels(strip, widths, gap=4):
    left, found = 0, []
    for width in widths:
        found.append(strip[:, left : left + width])
        left += width + gap
    assert left - gap == strip.shape[1]
    return found


def test_panels_are_the_images():
    lr, sr, hr = colors(0, 8, 12), colors(1, 32, 48), colors(2, 32, 48)
    ref = colors(3, 32, 40)
    depth = np.linspace(0, 1, 96).reshape(8, 12, 1)
    strip = make_strip(lr, ref, sr, hr, depth, captions=False)
    assert strip.dtype == np.uint8
    assert strip.shape[0] == 32
    found = panels(strip, [48, 48, 40, 48, 48, 48])
    np.testing.assert_array_equal(found[0][::4, ::4], lr)
    np.testing.assert_array_equal(found[0][3::4, 3::4], lr)
    np.testing.assert_array_equal(found[1], upscale(lr))
    np.testing.assert_array_equal(found[2], ref)
    np.testing.assert_array_equal(found[3], sr)
    np.testing.assert_array_equal(found[4], hr)
    np.testing.assert_array_equal(found[5][::4, ::4], color_nearness(depth))


def test_captions_are_above_and_change_nothing_below():
    lr, sr, hr = colors(0, 16, 24), colors(1, 64, 96), colors(2, 64, 96)
    plain = make_strip(lr, hr, sr, hr, captions=False)
    strip = make_strip(lr, hr, sr, hr)
    band = strip.shape[0] - plain.shape[0]
    assert band > 0
    np.testing.assert_array_equal(strip[band:], plain)
    for panel in panels(strip[:band], [96] * 5):
        assert panel.min() < 128  # something is written
        assert (panel[:, -1] == 255).all()  # and it ends in time


def test_psnr_is_in_the_caption(monkeypatch):
    written = []
    monkeypatch.setattr(
        'mmdsr.evaluation.strips._write', lambda _, text: written.append(text)
    )
    lr, sr, hr = colors(0, 16, 24), colors(1, 64, 96), colors(2, 64, 96)
    make_strip(lr, hr, sr, hr)
    assert written == [
        'LR',
        f'Bicubic {psnr(upscale(lr), hr):.2f} dB',
        'Ref',
        f'SR {psnr(sr, hr):.2f} dB',
        'HR',
    ]
    written.clear()
    make_strip(lr, None, sr, depth=np.ones((16, 24)), depth_true=None)
    assert written == ['LR', 'Bicubic', 'SR', 'Depth']


def test_references_of_other_sizes_are_fitted():
    lr, sr = colors(0, 8, 8), colors(1, 32, 32)
    for height, width in ((64, 128), (8, 16), (32, 64)):
        ref = np.full((height, width, 3), 77, np.uint8)
        strip = make_strip(lr, ref, sr, captions=False)
        assert (panels(strip, [32, 32, 64, 32])[2] == 77).all()


def test_refuses():
    lr, sr = colors(0, 8, 8), colors(1, 32, 32)
    with pytest.raises(ValueError, match='integer multiple'):
        make_strip(lr, None, sr[:-1])
    with pytest.raises(ValueError, match='hr must have the shape'):
        make_strip(lr, None, sr, hr=sr[:-1])
