"""What changes in a sample when its image grows; no host needed."""

import copy

import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement, InstanceData, PixelData

from mmdsr.errors import FrameError
from mmdsr.preprocessors.rescale import (
    frame_of,
    rescale_sample,
    rescale_samples,
    scale_metainfo,
)


class Boxes:
    """A box type that changes in place, as those of mmdet do."""

    def __init__(self, tensor):
        self.tensor = tensor

    def clone(self):
        return Boxes(self.tensor.clone())

    def rescale_(self, factors):
        self.tensor[..., 0::2] *= factors[0]
        self.tensor[..., 1::2] *= factors[1]

    def __len__(self):
        return len(self.tensor)

    def __getitem__(self, index):
        return Boxes(self.tensor[index])


def _sample(**metainfo):
    metainfo = dict(img_shape=(6, 8), ori_shape=(12, 16), **metainfo)
    return BaseDataElement(metainfo=metainfo)


def test_metainfo():
    given = dict(
        img_shape=(6, 8, 3),
        pad_shape=(8, 8),
        batch_input_shape=(8, 12),
        padding_size=[0, 1, 0, 2],
        img_padding_size=(0, 4, 0, 0),
        scale_factor=(0.5, 0.25),
        ori_shape=(12, 32),
        flip=True,
        img_path='a.png',
    )
    before = copy.deepcopy(given)
    assert scale_metainfo(given, 4) == dict(
        img_shape=(24, 32, 3),
        pad_shape=(32, 32),
        batch_input_shape=(32, 48),
        padding_size=(0, 4, 0, 8),
        img_padding_size=(0, 16, 0, 0),
        scale_factor=(2.0, 1.0),
    )
    assert given == before
    # mmseg writes pad_shape=None for a sample without a map.
    assert scale_metainfo(dict(pad_shape=None), 2) == dict(
        scale_factor=(2.0, 2.0)
    )
    assert scale_metainfo(dict(scale_factor=0.5), 4) == dict(scale_factor=2.0)
    older = np.array([0.5, 0.25, 0.5, 0.25], dtype=np.float32)
    scaled = scale_metainfo(dict(scale_factor=older), 4)['scale_factor']
    np.testing.assert_array_equal(scaled, [2, 1, 2, 1])
    assert older[0] == 0.5


def test_frames():
    assert frame_of((6, 8), (6, 8), 4) == 'LR'
    assert frame_of(torch.Size([6, 8, 3]), (6, 8), 4) == 'LR'
    assert frame_of((24, 32), (6, 8), 4) == 'HR'
    assert frame_of(None, (6, 8), 4) == 'LR'
    for other in ((12, 16), (24, 31), (6, 32), (8, 6)):
        assert frame_of(other, (6, 8), 4) is None


def test_error_for_neither_frame_gives_advice():
    sample = _sample(img_path='dir/a.png')
    with pytest.raises(FrameError) as caught:
        rescale_sample(sample, (3, 5), 4)
    text = str(caught.value)
    for part in (
        'dir/a.png',
        '5x3',
        '8x6',
        'mmdsr.Downsample',
        'scale=1/4',
        'tools/super_resolve.py',
    ):
        assert part in text
    # Where nothing depends on the size it is no mistake.
    assert rescale_sample(sample, (3, 5), 4, strict=False) is sample


def test_hr_frame_is_left_alone():
    sample = _sample()
    sample.gt_sem_seg = PixelData(data=torch.ones(1, 6, 8))
    new = rescale_samples([sample], [(3, 4)], 2, training=True)
    assert new == [sample]
    assert new[0] is sample


def test_scale_one_and_no_samples():
    samples = [_sample()]
    # Even of neither frame: there is nothing to place.
    assert rescale_samples(samples, [(99, 99)], 1, True) is samples
    assert rescale_samples(None, [(6, 8)], 4, True) is None


def test_annotations_grow_in_training_only():
    sample = _sample(scale_factor=(0.5, 0.5))
    boxes = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    sample.gt_instances = InstanceData(
        bboxes=boxes, labels=torch.tensor([5]), masks=torch.ones(1, 6, 8)
    )
    sample.ignored_instances = InstanceData(bboxes=Boxes(boxes.clone()))
    sample.proposals = InstanceData(bboxes=boxes + 1)
    label = torch.arange(48, dtype=torch.uint8).reshape(1, 6, 8)
    depth = torch.rand(1, 6, 8)
    sample.gt_sem_seg = PixelData(
        metainfo=dict(ignore_index=9), sem_seg=label, instance=label + 1
    )
    sample.gt_depth_map = PixelData(data=depth)
    before = copy.deepcopy(sample)

    new = rescale_sample(sample, (6, 8), 4, training=True)
    assert new.ori_shape == (12, 16)
    assert new.img_shape == (24, 32)
    assert new.scale_factor == (2.0, 2.0)
    assert torch.equal(new.gt_instances.bboxes, boxes * 4)
    assert torch.equal(new.gt_instances.labels, torch.tensor([5]))
    assert new.gt_instances.masks.shape == (1, 24, 32)
    assert torch.equal(new.ignored_instances.bboxes.tensor, boxes * 4)
    assert torch.equal(new.proposals.bboxes, (boxes + 1) * 4)
    assert new.gt_sem_seg.ignore_index == 9
    assert new.gt_sem_seg.sem_seg.dtype == torch.uint8
    for y in range(24):
        for x in range(0, 32, 5):
            assert new.gt_sem_seg.sem_seg[0, y, x] == label[0, y // 4, x // 4]
            # Distances do not grow with the image.
            assert new.gt_depth_map.data[0, y, x] == depth[0, y // 4, x // 4]

    test = rescale_sample(sample, (6, 8), 4)
    assert test.img_shape == (24, 32)
    # The network reads them; annotations are compared in the file's frame.
    assert torch.equal(test.proposals.bboxes, (boxes + 1) * 4)
    assert torch.equal(test.gt_instances.bboxes, boxes)
    assert test.gt_sem_seg.shape == (6, 8)

    for name in ('gt_instances', 'proposals'):
        assert torch.equal(sample.get(name).bboxes, before.get(name).bboxes)
    assert torch.equal(sample.ignored_instances.bboxes.tensor, boxes)
    assert sample.metainfo == before.metainfo
    assert sample.gt_sem_seg.shape == (6, 8)


def test_hr_annotations_on_lr_files_are_refused():
    sample = _sample()
    sample.gt_sem_seg = PixelData(data=torch.ones(1, 24, 32))
    with pytest.raises(FrameError, match=r'gt_sem_seg is 32x24.*Downsample'):
        rescale_sample(sample, (6, 8), 4, training=True)
    del sample.gt_sem_seg
    sample.gt_instances = InstanceData(
        bboxes=torch.ones(1, 4), masks=torch.ones(1, 24, 32)
    )
    with pytest.raises(FrameError, match=r'gt_instances\.masks is 32x24'):
        rescale_sample(sample, (6, 8), 4, training=True)
    # In a test they are compared in the frame of the file.
    rescale_sample(sample, (6, 8), 4)


def test_maps_made_smaller_on_purpose_grow_too():
    """mmdet's SegRescale reduces the map to the size of a feature."""
    sample = _sample()
    sample.gt_sem_seg = PixelData(sem_seg=torch.ones(1, 3, 4))
    new = rescale_sample(sample, (6, 8), 4, training=True)
    assert new.gt_sem_seg.shape == (12, 16)


def test_each_sample_has_its_own_frame():
    small, large = _sample(), _sample()
    new = rescale_samples([small, large], [(6, 8), (3, 4)], 2)
    assert new[0].img_shape == (12, 16)
    assert new[1] is large
