import cv2
import numpy as np
import pytest

from mmdsr.io.images import downscale
from mmdsr.sim import PipeRun
from mmdsr.sim.data.degrade import Degradation, degrade
from mmdsr.sim.shade.sensor import _shake, compress, develop, meter
from mmdsr.sim.shade.text import Caption


@pytest.fixture
def picture():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (10, 14, 3), np.uint8)
    return cv2.resize(small, (224, 160), interpolation=cv2.INTER_CUBIC)


def test_text_is_marked_and_legible():
    run = PipeRun(1, 2, (224, 160), noise=False, overlay=True)
    plain = PipeRun(1, 2, (224, 160), noise=False)
    frame, other = run.frame(3), plain.frame(3)
    assert not other.overlay.any()
    assert 0.005 < frame.overlay.mean() < 0.2
    change = (frame.image != other.image).any(-1)
    np.testing.assert_array_equal(change, frame.overlay)
    np.testing.assert_array_equal(frame.depth, other.depth)


def test_the_distance_counts_up():
    caption = Caption(0, 0)
    masks = []
    for frame in (0, 0, 5):
        canvas = np.zeros((160, 224, 3), np.uint8)
        caption.draw(canvas, frame)
        masks.append(canvas)
    np.testing.assert_array_equal(masks[0], masks[1])
    assert (masks[0] != masks[2]).any()
    other = np.zeros((160, 224, 3), np.uint8)
    Caption(0, 1).draw(other, 0)
    assert (other != masks[0]).any()


def test_meter_inverts_develop():
    rng = np.random.default_rng(0)
    light = rng.random((40, 50, 3)).astype(np.float32) * 37
    for shoulder in (0.0, 0.5):
        gain = meter(light, 0.6, shoulder)
        shown = develop(light.copy(), gain, shoulder)
        assert np.percentile(shown[..., 1], 85) == pytest.approx(0.6, abs=0.01)


def test_shake_blurs_along_its_direction():
    dot = np.zeros((41, 41, 3), np.float32)
    dot[20, 20] = 1
    blurred = _shake(dot, 6.0, 0.0)[..., 0]
    assert blurred.sum() == pytest.approx(1, abs=1e-5)
    assert (blurred[20] > 0.01).sum() >= 6
    assert (blurred[:, 20] > 0.01).sum() == 1


def test_compress_halves_the_resolution_of_colour(picture):
    fine = np.zeros((64, 64, 3), np.uint8)
    fine[:, ::2] = (255, 0, 0)
    fine[:, 1::2] = (0, 0, 255)
    out = compress(fine, 100).astype(int)
    red = out[..., 0] - out[..., 2]
    assert np.abs(red[8:-8, 8:-8]).mean() < 60  # was 255
    assert np.abs(compress(picture, 95).astype(int) - picture).mean() < 20


def test_degradation_depends_on_the_generator_only(picture):
    one = degrade(picture, np.random.default_rng(3))
    two = degrade(picture, np.random.default_rng(3))
    other = degrade(picture, np.random.default_rng(4))
    assert one.shape == (40, 56, 3)
    assert one.dtype == np.uint8
    np.testing.assert_array_equal(one, two)
    assert (one != other).mean() > 0.5


def test_degradation_without_any_is_the_reduction(picture):
    clean = Degradation(
        blur=(0, 0),
        filters=('bicubic',),
        noise=(0, 0),
        shot=(0, 0),
        quality=(100, 100),
    )
    lr = degrade(picture, np.random.default_rng(0), clean)
    off = np.abs(lr.astype(int) - downscale(picture))
    gray = np.abs(lr.mean(-1) - downscale(picture).mean(-1))
    # What is left is the color that JPEG halves.
    assert gray.mean() < 4
    assert off.mean() < 20
    noisy = Degradation((0, 0), ('bicubic',), (8, 8), (0, 0), (100, 100))
    loud = degrade(picture, np.random.default_rng(0), noisy)
    assert 3 < np.abs(loud.astype(int) - lr).mean() < 12


@pytest.mark.parametrize(
    'bad',
    [
        {'blur': (2, 1)},
        {'noise': (-1, 1)},
        {'filters': ()},
        {'filters': ('lanczos',)},
        {'quality': (0, 50)},
        {'quality': (50, 101)},
    ],
)
def test_bad_degradations(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        Degradation(**bad)


def test_degrade_refuses_odd_sizes():
    with pytest.raises(ValueError, match='multiples'):
        degrade(np.zeros((30, 30, 3), np.uint8), np.random.default_rng(0))
