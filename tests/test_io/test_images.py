import numpy as np
import pytest
from PIL import Image

from mmdsr.io.images import (
    decode_depth,
    downscale,
    downscale_depth,
    encode_depth,
    read_depth,
    write_png,
)


def test_downscale_filters_before_sampling():
    # A one-pixel checkerboard: plain sampling would give 0 or 255.
    board = (np.indices((32, 32)).sum(0) % 2 * 255).astype(np.uint8)
    small = downscale(np.repeat(board[..., None], 3, axis=2))
    assert small.shape == (8, 8, 3)
    assert np.abs(small.astype(int) - 127).max() < 20


def test_downscale_keeps_the_order_of_the_channels():
    image = np.full((8, 8, 3), (200, 100, 10), np.uint8)
    assert (downscale(image) == (200, 100, 10)).all()


@pytest.mark.parametrize(
    'image',
    [
        np.zeros((8, 8, 3)),
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 9, 3), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
    ],
)
def test_downscale_refuses(image):
    with pytest.raises(ValueError, match='image'):
        downscale(image)


def test_downscale_depth_against_a_loop():
    rng = np.random.default_rng(0)
    depth = rng.uniform(0.2, 9, (12, 8)).astype(np.float32)
    depth[rng.random(depth.shape) < 0.3] = np.nan
    depth[0, 0] = -1  # unknown, too
    depth[:4, 4:] = 0
    small = downscale_depth(depth)
    for i in range(3):
        for j in range(2):
            cell = depth[4 * i : 4 * i + 4, 4 * j : 4 * j + 4]
            inverse = [1 / z for z in cell.ravel() if z > 0]
            if inverse:
                expected = 1 / np.mean(inverse)
                np.testing.assert_allclose(small[i, j], expected, rtol=1e-5)
            else:
                assert np.isnan(small[i, j])
    assert np.isnan(small[0, 1])


def test_downscale_depth_is_exact_on_a_plane():
    # The inverse depth of a plane is linear in the image.
    rows = np.arange(32, dtype=np.float32)[:, None] + 0.5
    depth = 1 / (0.1 + 0.01 * rows) * np.ones((1, 16), np.float32)
    centers = 4 * np.arange(8)[:, None] + 2
    expected = 1 / (0.1 + 0.01 * centers) * np.ones((1, 4))
    np.testing.assert_allclose(downscale_depth(depth), expected, rtol=1e-5)


def test_infinite_depth_is_known():
    depth = np.full((4, 8), np.inf, np.float32)
    depth[:, 4:6] = 2
    np.testing.assert_allclose(downscale_depth(depth), [[np.inf, 4]])
    assert encode_depth(np.inf) == 65535


def test_depth_survives_encoding():
    depth = np.array([0.0004, 0.25, 1.2344, 65.535, 80, 0, -2, np.nan])
    encoded = encode_depth(depth)
    assert encoded.dtype == np.uint16
    assert encoded.tolist() == [1, 250, 1234, 65535, 65535, 0, 0, 0]
    decoded = decode_depth(encoded)
    assert decoded.dtype == np.float32
    np.testing.assert_allclose(decoded[1:4], depth[1:4], atol=0.0005)
    assert np.isnan(decoded[5:]).all()


def test_read_depth_of_both_kinds(tmp_path):
    depth = np.array([[0.5, np.nan], [2, 3]], np.float32)
    write_png(tmp_path / 'a.png', encode_depth(depth))
    np.save(tmp_path / 'a.npy', depth[..., None])
    np.testing.assert_allclose(read_depth(tmp_path / 'a.png'), depth)
    np.testing.assert_allclose(read_depth(tmp_path / 'a.npy'), depth)
    halved = read_depth(tmp_path / 'a.png', unit=0.0005)
    np.testing.assert_allclose(halved, depth / 2)


def test_read_depth_refuses(tmp_path):
    Image.new('L', (4, 4)).save(tmp_path / 'picture.png')
    with pytest.raises(ValueError, match='16-bit'):
        read_depth(tmp_path / 'picture.png')
    np.save(tmp_path / 'ints.npy', np.ones((4, 4), int))
    with pytest.raises(ValueError, match='floats in meters'):
        read_depth(tmp_path / 'ints.npy')
    for name in ('broken.npy', 'broken.png'):
        (tmp_path / name).write_bytes(b'nothing')
        with pytest.raises(ValueError, match='cannot be read'):
            read_depth(tmp_path / name)
        (tmp_path / name).write_bytes(b'')
        with pytest.raises(ValueError, match='cannot be read'):
            read_depth(tmp_path / name)
