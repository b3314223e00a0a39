"""Crops, flips and transposes keep the grids of a sample aligned.

Every image holds the coordinates of its own pixels, so that after any
sequence of transforms the values tell where each pixel came from.
"""

import numpy as np
import pytest
from mmengine.registry import init_default_scope

from mmdsr.transforms import PairedRefCrop
from mmdsr.transforms.paired_ref_crop import window

KEYS = ['img', 'gt', 'ref', 'depth_lr', 'depth_ref']


def cells(image, scale=4):
    """Mean of each cell."""
    height, width, depth = image.shape
    shape = (height // scale, scale, width // scale, scale, depth)
    return image.reshape(shape).mean(axis=(1, 3))


def make_sample(height=20, width=28, ref_size=None):
    """Row and column of each full-size pixel in the first two channels."""

    def coordinates(h, w):
        rows, columns = np.indices((h, w), dtype=np.float32)
        return np.stack([rows, columns, 0 * rows], axis=2)

    gt = coordinates(4 * height, 4 * width)
    ref = coordinates(*(ref_size or gt.shape[:2])) + 1000
    return {
        'img': cells(gt),
        'gt': gt,
        'ref': ref,
        # One value per LR pixel: row * 1000 + column of its center.
        'depth_lr': (cells(gt) @ [1000, 1, 0])[..., None].astype(np.float32),
        'depth_ref': (cells(ref) @ [1000, 1, 0])[..., None].astype(np.float32),
    }


def assert_aligned(sample):
    """The reduced images are those of the full-size ones."""
    np.testing.assert_allclose(sample['img'], cells(sample['gt']))
    for key, image in (('depth_lr', 'gt'), ('depth_ref', 'ref')):
        expected = (cells(sample[image]) @ [1000, 1, 0])[..., None]
        np.testing.assert_allclose(sample[key], expected, rtol=1e-6)


def box(image):
    """First and last row and column that an image holds."""
    rows, columns = image[..., 0], image[..., 1]
    return rows.min(), rows.max(), columns.min(), columns.max()


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('margin', [0, 2, 100])
def test_crop_flip_transpose(seed, margin):
    init_default_scope('mmagic')
    pytest.importorskip('mmagic.datasets.transforms')
    from mmengine.dataset import Compose

    np.random.seed(seed)
    pipeline = Compose(
        [
            dict(
                type='mmdsr.PairedRefCrop',
                lr_size=(8, 12),
                ref_margin=margin,
            ),
            dict(type='Flip', keys=KEYS, direction='horizontal'),
            dict(type='Flip', keys=KEYS, direction='vertical'),
            dict(type='RandomTransposeHW', keys=KEYS),
        ]
    )
    shapes = set()
    for _ in range(10):
        sample = pipeline(make_sample())
        assert_aligned(sample)
        shapes.add(sample['img'].shape)
        # The reference holds the place of the image, and no more than asked.
        gt, ref = box(sample['gt']), box(sample['ref'] - 1000)
        assert ref[0] <= gt[0]
        assert ref[1] >= gt[1]
        assert ref[2] <= gt[2]
        assert ref[3] >= gt[3]
        assert ref[1] - ref[0] + 1 == min(4 * (8 + 2 * margin), 80)
        assert ref[3] - ref[2] + 1 == min(4 * (12 + 2 * margin), 112)
        # Both were turned alike: the same pixel is at the same offset.
        if margin == 0:
            np.testing.assert_array_equal(
                sample['ref'] - 1000, sample['gt'] + [0, 0, 0]
            )
        else:
            for axis in (0, 1):
                steps = [
                    np.sign(np.diff(sample[key], axis=axis)[0, 0, :2])
                    for key in ('gt', 'ref')
                ]
                np.testing.assert_array_equal(*steps)
    assert shapes == {(8, 12, 3), (12, 8, 3)}


def test_whole_reference_of_another_size():
    original = make_sample(ref_size=(40, 44))
    sample = PairedRefCrop((8, 12), ref='whole')(dict(original))
    assert sample['gt'].shape == (32, 48, 3)
    np.testing.assert_array_equal(sample['ref'], original['ref'])
    assert_aligned(sample)


def test_every_place_is_reached():
    np.random.seed(0)
    places = set()
    for _ in range(200):
        sample = PairedRefCrop((18, 26))(make_sample())
        places.add(sample['crop_window'][:2])
        top, left = sample['crop_window'][:2]
        assert box(sample['gt']) == (
            4 * top,
            4 * (top + 18) - 1,
            4 * left,
            4 * (left + 26) - 1,
        )
    assert places == {(i, j) for i in range(3) for j in range(3)}


def test_full_window_and_no_depth():
    sample = make_sample()
    full = {key: sample[key] for key in ('img', 'gt', 'ref')}
    cut = PairedRefCrop((20, 28))(dict(full))
    for key, image in full.items():
        np.testing.assert_array_equal(cut[key], image)
    assert 'depth_lr' not in cut


@pytest.mark.parametrize('length', [5, 9, 30])
@pytest.mark.parametrize('margin', [0, 1, 3, 50])
def test_window(length, margin):
    for start in range(length - 5 + 1):
        first, size = window(start, 5, margin, length)
        assert 0 <= first <= start
        assert start + 5 <= first + size <= length
        assert size == min(5 + 2 * margin, length)


def test_refuses():
    with pytest.raises(ValueError, match='28x20, smaller than the window'):
        PairedRefCrop((24, 24))(make_sample())
    with pytest.raises(ValueError, match=r"ref is 44x40.*ref='whole'"):
        PairedRefCrop((8, 8))(make_sample(ref_size=(40, 44)))
    sample = make_sample()
    sample['gt'] = sample['gt'][:-1]
    with pytest.raises(ValueError, match='gt is 112x79'):
        PairedRefCrop((8, 8), ref='whole')(sample)
    for wrong, reason in (
        ({'lr_size': (8,)}, 'lr_size'),
        ({'lr_size': (0, 8)}, 'lr_size'),
        ({'lr_size': (8, 8), 'ref': 'none'}, 'ref must'),
        ({'lr_size': (8, 8), 'ref_margin': -1}, 'ref_margin'),
        ({'lr_size': (8, 8), 'ref': 'whole', 'ref_margin': 2}, 'ref_margin'),
    ):
        with pytest.raises(ValueError, match=reason):
            PairedRefCrop(**wrong)
