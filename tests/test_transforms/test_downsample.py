import numpy as np
import pytest
from PIL import Image

from mmdsr.registry import TRANSFORMS
from mmdsr.transforms import Downsample


def picture(height=16, width=24):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (height, width, 3), np.uint8)


def test_changes_the_image_only():
    image = picture()
    results = dict(
        img=image.copy(),
        img_shape=(16, 24),
        ori_shape=(16, 24),
        scale_factor=(2.0, 2.0),
        gt_bboxes=np.array([[1.0, 2, 3, 4]]),
    )
    before = {**results, 'gt_bboxes': results['gt_bboxes'].copy()}
    TRANSFORMS.build(dict(type='mmdsr.Downsample'))(results)
    assert results['img'].flags.writeable
    small = Image.fromarray(image).resize((6, 4), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(results.pop('img'), np.asarray(small))
    before.pop('img')
    np.testing.assert_array_equal(
        results.pop('gt_bboxes'), before.pop('gt_bboxes')
    )
    assert results == before


def test_floats_are_quantized_like_a_camera_image():
    image = picture()
    noisy = image + np.float32(0.3)
    noisy[0, 0] = 300
    image[0, 0] = 255
    small = Downsample(0.5)(dict(img=noisy))['img']
    assert small.dtype == np.uint8
    np.testing.assert_array_equal(
        small, Downsample(0.5)({'img': image})['img']
    )


@pytest.mark.parametrize('scale', [0, -1, 0.3, 4])
def test_refuses_a_wrong_scale(scale):
    with pytest.raises(ValueError, match='1 divided by an integer'):
        Downsample(scale)


@pytest.mark.parametrize(
    'image',
    [
        np.full((8, 8, 3), 30_000, np.uint16),
        np.full((8, 8, 3), -1, np.int32),
        np.full((8, 8, 3), np.nan, np.float32),
        np.full((8, 8, 3), np.inf, np.float32),
    ],
)
def test_refuses_what_is_no_color(image):
    with pytest.raises(ValueError, match=r'cannot reduce a\.png: its values'):
        Downsample()(dict(img=image, img_path='a.png'))


def test_error_for_an_odd_size_gives_advice():
    results = dict(img=picture(18, 24), img_path='pipe.png')
    with pytest.raises(ValueError, match=r'pipe\.png of 24x18.*_divisor=4'):
        Downsample()(results)
