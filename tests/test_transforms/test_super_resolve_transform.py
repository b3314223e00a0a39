"""Super-resolution as a step of the hosts' pipelines."""

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose, Resize

from mmdsr.registry import TRANSFORMS
from mmdsr.transforms import Downsample, SuperResolve, super_resolve

TWICE = dict(interpolation='nearest', scale=2)


def sample(height=8, width=12, **more):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    return dict(
        img=image,
        img_shape=(height, width),
        ori_shape=(height, width),
        **more,
    )


def test_metainfo():
    results = sample(pad_shape=(8, 12, 3), scale_factor=(0.5, 0.25))
    small = results['img']
    results = TRANSFORMS.build(dict(type='mmdsr.SuperResolve', sr=TWICE))(
        results
    )
    large = small.repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(results['img'], large)
    assert results['img'].dtype == np.uint8
    assert results['img_shape'] == (16, 24)
    assert results['pad_shape'] == (16, 24, 3)
    assert results['ori_shape'] == (8, 12)
    assert results['scale_factor'] == (1.0, 0.5)


def test_scale_factor_accumulates_behind_a_resize():
    pipeline = Compose(
        [
            Resize(scale=(24, 16)),
            SuperResolve(sr=TWICE),
            SuperResolve(sr=TWICE),
        ]
    )
    results = pipeline(sample())
    assert results['scale_factor'] == (8.0, 8.0)
    assert results['img_shape'] == results['img'].shape[:2] == (64, 96)


@pytest.mark.parametrize(
    ('before', 'after'), [(None, 2.0), (0.5, 1.0), (np.float32(2), 4.0)]
)
def test_scale_factor_of_both_sides(before, after):
    results = SuperResolve(sr=TWICE)(sample(scale_factor=before))
    assert results['scale_factor'] == (after, after)


def test_gray_is_refused():
    with pytest.raises(ValueError, match="color_type='color'"):
        SuperResolve(sr=TWICE)(dict(img=np.zeros((8, 12), np.uint8)))


def test_floats_stay_floats():
    results = sample()
    results['img'] = results['img'].astype(np.float32)
    results = SuperResolve(sr=TWICE)(results)
    assert results['img'].dtype == np.float32


@pytest.mark.skipif(
    not hasattr(torch, 'uint16'), reason='torch before 2.3 has no such arrays'
)
def test_more_bits_than_8_hold_colors_or_are_refused():
    results = dict(img=np.full((32, 32, 3), 200, np.uint16))
    transform = SuperResolve(sr=dict(interpolation='bicubic'))
    enlarged = transform(dict(results))['img']
    np.testing.assert_array_equal(enlarged, np.full((128, 128, 3), 200))
    results['img'] = results['img'] * 100
    with pytest.raises(ValueError, match=r'the value 20000 .* in 0\.\.255'):
        transform(results)


def test_annotations_at_the_small_size_grow():
    pixels = np.arange(8 * 12, dtype=np.uint8).reshape(8, 12)
    boxes = np.array([[1, 2, 3.5, 4]], np.float32)
    results = sample(
        gt_bboxes=boxes,
        gt_keypoints=np.array([[[1, 2, 1]]], np.float32),
        gt_seg_map=pixels,
        gt_edge_map=pixels + 1,
        seg_fields=['gt_seg_map', 'gt_edge_map'],
    )
    results = SuperResolve(sr=TWICE)(results)
    np.testing.assert_array_equal(results['gt_bboxes'], [[2, 4, 7, 8]])
    np.testing.assert_array_equal(results['gt_keypoints'], [[[2, 4, 1]]])
    large = pixels.repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(results['gt_seg_map'], large)
    np.testing.assert_array_equal(results['gt_edge_map'], large + 1)
    # What the data set keeps is not changed in place.
    np.testing.assert_array_equal(boxes, [[1, 2, 3.5, 4]])


def test_annotations_of_mmdet():
    bbox = pytest.importorskip('mmdet.structures.bbox')
    mask = pytest.importorskip('mmdet.structures.mask')
    masks = mask.BitmapMasks(np.ones((1, 8, 12), np.uint8), 8, 12)
    boxes = bbox.HorizontalBoxes(torch.tensor([[1.0, 2, 3, 4]]))
    results = SuperResolve(sr=TWICE)(sample(gt_bboxes=boxes, gt_masks=masks))
    assert results['gt_bboxes'].tensor.tolist() == [[2, 4, 6, 8]]
    assert results['gt_masks'].masks.shape == (1, 16, 24)


def test_masks_of_an_unknown_kind_are_refused():
    with pytest.raises(ValueError, match='cannot enlarge gt_masks'):
        SuperResolve(sr=TWICE)(sample(gt_masks=[[1, 2]]))


def test_behind_downsample_only_the_image_changes():
    results = sample(16, 24, gt_bboxes=np.array([[1.0, 2, 3, 4]]))
    results['scale_factor'] = (3.0, 3.0)
    results = SuperResolve(sr=TWICE)(Downsample(0.5)(results))
    assert results['img'].shape == (16, 24, 3)
    assert results['img_shape'] == (16, 24)
    assert results['scale_factor'] == (3.0, 3.0)
    np.testing.assert_array_equal(results['gt_bboxes'], [[1, 2, 3, 4]])


def test_sizes_that_fit_nothing_are_refused():
    results = sample()
    results['img_shape'] = (24, 36)
    with pytest.raises(ValueError, match=r'img is 12x8.*says 36x24'):
        SuperResolve(sr=TWICE)(results)


def test_no_cuda_in_a_worker(monkeypatch):
    transform = SuperResolve(sr=TWICE, device='cuda')
    monkeypatch.setattr(super_resolve, 'get_worker_info', lambda: object())
    with pytest.raises(RuntimeError, match='num_workers=0'):
        transform(sample())
