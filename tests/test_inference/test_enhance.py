"""One image as people have it: a file, Pillow, an array."""

from pathlib import Path

import numpy as np
import pytest
import torch
from inference_cases import pipe
from PIL import Image

from mmdsr import SuperResolver

NANO = 'dsrnet_student'


@pytest.fixture(scope='module')
def nano():
    return SuperResolver(weights=NANO)


def rgb(height, width, seed=0):
    """RGB array of an image that is not gray."""
    image = pipe(height, width, seed).permute(1, 2, 0).numpy().copy()
    image[..., 0] //= 2
    return image


def bgr(array):
    return torch.from_numpy(array[..., ::-1].copy()).permute(2, 0, 1)


def test_output_has_the_type_of_the_input(nano, tmp_path):
    array = rgb(24, 32)
    before = array.copy()
    result = nano.enhance(array, device='cpu')
    assert isinstance(result, np.ndarray)
    assert result.shape == (96, 128, 3)
    assert result.dtype == np.uint8
    # What the hosts get, in RGB.
    (tensor,) = nano([bgr(array)])
    np.testing.assert_array_equal(bgr(result), tensor)
    np.testing.assert_array_equal(array, before)

    picture = Image.fromarray(array)
    picture.save(tmp_path / 'a.png')
    for image in (picture, tmp_path / 'a.png', str(tmp_path / 'a.png')):
        enlarged = nano.enhance(image, device='cpu')
        assert isinstance(enlarged, Image.Image)
        assert (enlarged.mode, enlarged.size) == ('RGB', (128, 96))
        np.testing.assert_array_equal(np.asarray(enlarged), result)


def test_other_modes_of_pillow(nano):
    gray = Image.fromarray(rgb(16, 20)[..., 1])
    expected = nano.enhance(np.asarray(gray.convert('RGB')))
    for mode in ('L', 'LA', 'RGBA', 'P'):
        result = nano.enhance(gray.convert(mode))
        np.testing.assert_array_equal(np.asarray(result), expected)
    # Upright, as the files are read.
    turned = gray.transpose(Image.Transpose.ROTATE_90)
    turned.getexif()[0x0112] = 6
    np.testing.assert_array_equal(np.asarray(nano.enhance(turned)), expected)


def test_a_reference_of_any_kind_and_size(nano, tmp_path):
    lr, reference = rgb(24, 32), rgb(90, 140, seed=1)
    Image.fromarray(reference).save(tmp_path / 'ref.png')
    with_array = nano.enhance(lr, reference)
    assert (with_array != nano.enhance(lr)).mean() > 0.1
    for kind in (tmp_path / 'ref.png', Image.fromarray(reference)):
        np.testing.assert_array_equal(nano.enhance(lr, kind), with_array)
    # The same as by the policy of files.
    files = SuperResolver(weights=NANO, reference='file')
    (tensor,) = files([bgr(lr)], [dict(ref_path=str(tmp_path / 'ref.png'))])
    np.testing.assert_array_equal(bgr(with_array), tensor)


def test_the_policy_of_the_resolver_holds_without_a_reference(tmp_path):
    for number in range(2):
        Image.fromarray(rgb(24, 32, number)).save(tmp_path / f'{number}.png')
    paths = [tmp_path / f'{number}.png' for number in range(2)]
    neighbor = SuperResolver(weights=NANO, reference='neighbor')
    np.testing.assert_array_equal(
        np.asarray(neighbor.enhance(paths[1])),
        np.asarray(neighbor.enhance(paths[1], paths[0])),
    )
    with pytest.raises(ValueError, match=r'enhance\(image, reference'):
        neighbor.enhance(rgb(24, 32))
    files = SuperResolver(weights=NANO, reference='file')
    with pytest.raises(ValueError, match=r'enhance\(image, reference'):
        files.enhance(paths[0])


def test_interpolation():
    resolver = SuperResolver(interpolation='nearest', scale=2)
    array = rgb(5, 7)
    expected = array.repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(resolver.enhance(array), expected)
    with pytest.raises(ValueError, match='does not use a reference'):
        resolver.enhance(array, array)


@pytest.mark.parametrize(
    ('image', 'error', 'message'),
    [
        ('none.png', FileNotFoundError, 'There is no image none.png'),
        (Path(__file__), ValueError, 'test_enhance.py: '),
        (None, TypeError, 'not NoneType. Pass tensors to'),
        (torch.zeros(3, 8, 8), TypeError, 'not Tensor. Pass tensors to'),
        (np.zeros((8, 8), np.uint8), ValueError, r'\(H, W, 3\) of uint8'),
        (np.zeros((8, 8, 3)), ValueError, 'not .8, 8, 3. of float64'),
        (np.zeros((0, 8, 3), np.uint8), ValueError, 'without pixels'),
        (
            Image.new('F', (8, 8)),
            ValueError,
            'mode F has an unknown value range',
        ),
    ],
)
def test_unusable_inputs_are_refused(nano, image, error, message):
    with pytest.raises(error, match=message):
        nano.enhance(image)
    if image is not None:
        with pytest.raises(error, match=message):
            nano.enhance(rgb(16, 16), image)
