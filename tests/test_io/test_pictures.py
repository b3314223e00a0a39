"""Image files of any kind as 8-bit sRGB."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from mmdsr.io.frames import read_rgb
from mmdsr.io.pictures import is_image_name, read_picture

#: Compressions of TIFF; old OpenCV has no names for them.
NONE, SGILOG = 1, 34676


def test_a_profile_is_converted(tmp_path):
    path = tmp_path / 'a.png'
    lab = ImageCms.createProfile('LAB')
    image = Image.new('LAB', (16, 16), (138, 128, 128))
    image.save(tmp_path / 'a.tif', icc_profile=_bytes(lab))
    found = read_picture(tmp_path / 'a.tif')
    # L* = 138 / 2.55 = 54.1 without color is gray 129 of sRGB.
    assert abs(found.rgb.astype(int) - 129).max() <= 2
    assert found.note == 'LAB to RGB, color profile to sRGB'
    # sRGB itself is what is wanted.
    image = Image.new('RGB', (16, 16), (60, 180, 0))
    image.save(path, icc_profile=_bytes(ImageCms.createProfile('sRGB')))
    found = read_picture(path)
    assert (found.rgb == (60, 180, 0)).all()
    assert not found.note


@pytest.mark.parametrize(
    ('suffix', 'channels'),
    [('.png', 3), ('.png', 4), ('.tif', 3), ('.tif', 4), ('.ppm', 3)],
)
def test_16_bit_color_becomes_8_bits_with_a_note(tmp_path, suffix, channels):
    path = tmp_path / f'a{suffix}'
    values = np.random.default_rng(0).integers(0, 256, (9, 7, channels))
    wide = (values * 257).astype(np.uint16)
    assert cv2.imwrite(str(path), wide)
    found = read_picture(path)
    assert found.note == '16-bit color to 8 bits'
    seen = (values[..., 3:] if channels == 4 else np.ones((9, 7, 1))) > 0
    assert ((found.rgb == values[..., 2::-1]) | ~seen).all()
    if channels == 4:
        assert (found.alpha == values[..., 3]).all()
    # The same pixels with 8 bits.
    assert cv2.imwrite(str(path), values.astype(np.uint8))
    narrow = read_picture(path)
    assert not narrow.note
    np.testing.assert_array_equal(narrow.rgb, found.rgb)


def _bytes(profile):
    return ImageCms.ImageCmsProfile(profile).tobytes()


def test_a_broken_profile_is_reported(tmp_path):
    path = tmp_path / 'a.png'
    image = Image.new('RGB', (16, 16), (60, 180, 0))
    image.save(path, icc_profile=b'no profile')
    found = read_picture(path)
    assert (found.rgb == (60, 180, 0)).all()
    assert found.note.startswith('color profile ignored (')


def test_transparency(tmp_path):
    path = tmp_path / 'a.png'
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, :4] = 10, 200, 30, 255
    pixels[:, 4:] = 255, 0, 0, 0
    Image.fromarray(pixels).save(path)
    found = read_picture(path)
    # What is hidden takes the color of what is seen beside it.
    assert (found.rgb == (10, 200, 30)).all()
    assert not found.note
    assert (found.alpha == pixels[..., 3]).all()
    assert read_rgb(path)[1] == 'transparency dropped'
    pixels[..., 3] = 255
    Image.fromarray(pixels).save(path)
    found = read_picture(path)
    assert found.alpha is None
    assert (found.rgb == pixels[..., :3]).all()


def test_transparency_of_16_bit_gray(tmp_path):
    plain, path = tmp_path / 'plain.png', tmp_path / 'a.png'
    values = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    image = Image.fromarray(values)
    image.save(plain)
    hidden = values == 30_000
    # Its 8 bits are the same, but it is seen.
    values[0, 0] = 30_001
    image = Image.fromarray(values)
    image.save(path, transparency=30_000)
    found, opaque = read_picture(path), read_picture(plain)
    assert ((found.alpha == 0) == hidden).all()
    assert ((found.alpha == 255) == ~hidden).all()
    seen = ~hidden
    seen[0, 0] = False
    assert (found.rgb[seen] == opaque.rgb[seen]).all()
    assert found.note == opaque.note == '16-bit gray to 8 bits'
    # No pixel has that value.
    image.save(path, transparency=7)
    assert read_picture(path).alpha is None


@pytest.mark.parametrize(
    ('channels', 'compression'),
    [
        (1, NONE),
        (3, NONE),
        (3, SGILOG),
    ],
)
def test_floating_point_is_no_damage(tmp_path, channels, compression):
    path = tmp_path / 'a.tif'
    values = np.full((16, 20, channels), 0.5, np.float32)
    options = cv2.IMWRITE_TIFF_COMPRESSION, compression
    cv2.imwrite(str(path), values, options)
    with pytest.raises(ValueError, match=r'floating-point pixels, whose ran'):
        read_picture(path)


def test_pictures_are_counted(tmp_path):
    pictures = [Image.new('RGB', (16, 20), c) for c in ('red', 'blue')]
    for suffix in ('gif', 'webp', 'tif'):
        path = tmp_path / f'a.{suffix}'
        pictures[0].save(path, save_all=True, append_images=pictures[1:])
        assert read_picture(path).count == 2
        assert 'the first of 2 pictures' in read_rgb(path)[1]
    # A second eye's view is no second picture.
    path = tmp_path / 'a.mpo'
    pictures[0].save(path, save_all=True, append_images=pictures[1:])
    assert read_picture(path).count == 1


def test_names_of_images():
    for name in ('a.png', 'a.JPG', 'a.heic', 'a.psd', 'a.cr2', 'a.jp2'):
        assert is_image_name(Path(name))
    for name in ('a', 'a.txt', 'a.mp4', 'a.mpg', 'a.pdf', 'a.json'):
        assert not is_image_name(Path(name))
