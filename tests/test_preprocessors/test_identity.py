"""With a super-resolver that changes nothing, a stage is its parent."""

import copy
import random

import numpy as np
import pytest
import torch
from stage_cases import (
    IDENTITY,
    STATISTICS,
    assert_same,
    plain,
    sample,
    stage,
)

BATCH_PAD = dict(
    type='BatchFixedSizePad', size=(64, 96), pad_mask=True, pad_seg=True
)
ARGUMENTS = [
    ('mmseg', dict(size=(32, 40))),
    ('mmseg', dict(size_divisor=16, pad_val=7, seg_pad_val=200)),
    ('mmseg', dict(size=(32, 40), bgr_to_rgb=True, **STATISTICS)),
    ('mmseg', dict(size=(32, 40), rgb_to_bgr=True)),
    ('mmseg', dict(size=(32, 40), test_cfg=dict(size=(48, 48)))),
    ('mmseg', dict(size=(32, 40), test_cfg=dict(size_divisor=32))),
    ('mmseg', dict(size=(32, 40), batch_augments=lambda x, y: (x * 2, y))),
    ('mmdet', dict()),
    ('mmdet', dict(pad_size_divisor=32, pad_value=3, **STATISTICS)),
    ('mmdet', dict(bgr_to_rgb=True, **STATISTICS)),
    ('mmdet', dict(rgb_to_bgr=True, non_blocking=True)),
    ('mmdet', dict(pad_size_divisor=32, pad_mask=True, mask_pad_value=1)),
    ('mmdet', dict(pad_size_divisor=32, pad_seg=True, seg_pad_value=9)),
    ('mmdet', dict(boxtype2tensor=False)),
    ('mmdet', dict(pad_mask=True, batch_augments=[BATCH_PAD])),
    ('mmpretrain', dict()),
    ('mmpretrain', dict(pad_size_divisor=16, pad_value=3, **STATISTICS)),
    ('mmpretrain', dict(to_rgb=True, **STATISTICS)),
    ('mmpretrain', dict(to_onehot=True, num_classes=4)),
    (
        'mmpretrain',
        dict(
            num_classes=4,
            batch_augments=dict(
                augments=[dict(type='Mixup', alpha=0.8)], probs=[1.0]
            ),
        ),
    ),
    (
        'mmpretrain',
        dict(
            num_classes=4,
            batch_augments=dict(augments=[dict(type='CutMix', alpha=1.0)]),
        ),
    ),
]


def _data(host, folder, training):
    """A batch; in training of two sizes where the host pads them."""
    first = sample(host, folder)
    second = copy.deepcopy(first)
    if training or host != 'mmseg':
        second = sample(host, folder, size=(20, 36))
    if host == 'mmdet':
        from mmengine.structures import PixelData

        for part in (first, second):
            size = part['inputs'].shape[-2:]
            part['data_samples'].gt_sem_seg = PixelData(
                sem_seg=torch.ones(1, *size, dtype=torch.uint8)
            )
    return dict(
        inputs=[first['inputs'], second['inputs']],
        data_samples=[first['data_samples'], second['data_samples']],
    )


def _run(preprocessor, data, training):
    # mmpretrain's augmentations use all three generators.
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    return preprocessor(data, training)


@pytest.mark.parametrize('training', [True, False], ids=['train', 'test'])
@pytest.mark.parametrize(('host', 'arguments'), ARGUMENTS)
def test_lists(tmp_path, host, arguments, training):
    data = _data(host, tmp_path, training)
    a = _run(plain(host, **arguments), copy.deepcopy(data), training)
    b = _run(stage(host, **arguments), copy.deepcopy(data), training)
    assert_same(a, b)
    assert b['inputs'].dtype == torch.float32


@pytest.mark.parametrize('host', ['mmdet', 'mmpretrain'])
def test_stacked_inputs(tmp_path, host):
    """Batches of ``default_collate``; mmseg takes lists only to train."""
    data = _data(host, tmp_path, False)
    data['inputs'] = torch.stack([data['inputs'][0], data['inputs'][0]])
    kwargs = dict(pad_size_divisor=32, **STATISTICS)
    for training in (True, False):
        a = plain(host, **kwargs)(copy.deepcopy(data), training)
        b = stage(host, **kwargs)(copy.deepcopy(data), training)
        assert_same(a, b)


@pytest.mark.parametrize('host', ['mmseg', 'mmdet', 'mmpretrain'])
def test_without_samples(tmp_path, host):
    data = dict(_data(host, tmp_path, False), data_samples=None)
    if host == 'mmdet':
        data['inputs'] = data['inputs'][:1]
    assert_same(
        plain(host)(dict(data)), stage(host, sr=dict(IDENTITY))(dict(data))
    )
    if host != 'mmdet':  # which asks for the key itself
        del data['data_samples']
        assert_same(plain(host)(dict(data)), stage(host)(dict(data)))


def test_attributes_that_hosts_set(tmp_path):
    """mmpretrain's hook and API assign to the preprocessor itself."""
    mixup = stage('mmpretrain', num_classes=4)
    other = plain('mmpretrain', num_classes=4)
    from mmpretrain.models import RandomBatchAugment

    for preprocessor in (mixup, other):
        preprocessor.batch_augments = RandomBatchAugment(
            [dict(type='Mixup', alpha=0.8)]
        )
        preprocessor.to_onehot = True
        preprocessor._device = torch.device('cpu')
    data = _data('mmpretrain', tmp_path, True)
    a = _run(other, copy.deepcopy(data), True)
    b = _run(mixup, copy.deepcopy(data), True)
    assert_same(a, b)
    assert not torch.equal(
        b['inputs'], plain('mmpretrain')(copy.deepcopy(data))['inputs']
    )
