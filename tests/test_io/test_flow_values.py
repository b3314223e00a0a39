import cv2
import numpy as np
import pytest
from PIL import Image

from mmdsr.io.flow_values import (
    decode_flow,
    encode_flow,
    read_flow,
    write_flow,
)


def some_flow(seed=0, shape=(11, 7)):
    rng = np.random.default_rng(seed)
    return rng.uniform(-30, 30, (*shape, 2)), rng.random(shape) < 0.7


def test_round_trip(tmp_path):
    flow, visible = some_flow()
    path = tmp_path / 'new' / 'a.png'
    write_flow(path, flow, visible)
    assert [p.name for p in path.parent.iterdir()] == ['a.png']
    again, seen = read_flow(path)
    assert again.dtype == np.float32
    assert seen.dtype == bool
    # Half a step of 1/64.
    assert np.abs(again - flow).max() <= 0.5 / 64 + 1e-6
    np.testing.assert_array_equal(seen, visible)


def test_the_file_is_as_documented(tmp_path):
    flow = np.zeros((1, 2, 2))
    flow[0, 1] = 1.5, -2.25
    write_flow(tmp_path / 'a.png', flow, np.array([[False, True]]))
    # Read without our code: OpenCV has the channels in reverse.
    stored = cv2.imread(str(tmp_path / 'a.png'), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint16
    assert stored[0, 0, ::-1].tolist() == [2**15, 2**15, 0]
    assert stored[0, 1, ::-1].tolist() == [2**15 + 96, 2**15 - 144, 1]


def test_flow_out_of_range_is_not_visible():
    flow = np.array([[[np.nan, 1], [np.inf, 1], [600, 0], [-512, 511.98]]])
    again, visible = decode_flow(encode_flow(flow, np.ones((1, 4), bool)))
    assert visible.tolist() == [[False, False, False, True]]
    assert not again[0, :3].any()
    np.testing.assert_allclose(again[0, 3], (-512, 511.984375))


@pytest.mark.parametrize(
    ('flow', 'visible'),
    [
        (np.zeros((4, 5, 3)), np.ones((4, 5), bool)),
        (np.zeros((4, 5, 2)), np.ones((5, 4), bool)),
        (np.zeros((4, 5, 2)), np.ones((4, 5))),
        (np.zeros((4, 5, 2)), None),
    ],
)
def test_wrong_shapes(flow, visible):
    with pytest.raises(ValueError, match='must be'):
        encode_flow(flow, visible)


def refused(path):
    with pytest.raises(ValueError, match='is not a flow image') as error:
        read_flow(path)
    text = str(error.value)
    assert text.startswith(str(path))
    assert '\n' not in text
    return text


def test_damaged_files(tmp_path):
    path = tmp_path / 'a.png'
    write_flow(path, *some_flow(shape=(40, 40)))
    data = path.read_bytes()
    assert 'no such file' in refused(tmp_path / 'none.png')
    path.write_bytes(b'')
    assert 'empty' in refused(path)
    path.write_bytes(data[: len(data) // 2])
    refused(path)
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 255
    path.write_bytes(bytes(flipped))
    refused(path)


@pytest.mark.parametrize(
    ('image', 'reason'),
    [
        (np.zeros((4, 4, 3), np.uint8), 'uint8'),
        (np.zeros((4, 4), np.uint16), r'(4, 4)'),
        (np.full((4, 4, 3), 7, np.uint16), 'goes up to 7'),
        (np.zeros((4, 4, 4), np.uint16), r'(4, 4, 4)'),
    ],
)
def test_other_images(tmp_path, image, reason):
    path = tmp_path / 'a.png'
    cv2.imwrite(str(path), image)
    assert reason in refused(path)


def test_a_jpeg_is_none(tmp_path):
    path = tmp_path / 'a.png'
    Image.new('RGB', (8, 8)).save(path, format='JPEG')
    refused(path)
