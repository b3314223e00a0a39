"""Tiny models of the hosts, with and without the stage, and their samples.

The yardstick of most tests is the host itself: with ``NEAREST`` the stage
must do what the host's own ``Resize`` by 4 (nearest neighbor) does.
"""

import copy
from contextlib import contextmanager

import cv2
import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.dataset import Compose
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import BaseDataElement

NANO = dict(weights='dsrnet_student')
NEAREST = dict(interpolation='nearest', scale=4)
IDENTITY = dict(interpolation='nearest', scale=1)
STAGES = dict(
    mmseg='mmdsr.SRSegDataPreProcessor',
    mmdet='mmdsr.SRDetDataPreprocessor',
    mmpretrain='mmdsr.SRClsDataPreprocessor',
)
PLAIN = dict(
    mmseg='mmseg.SegDataPreProcessor',
    mmdet='mmdet.DetDataPreprocessor',
    mmpretrain='mmpretrain.ClsDataPreprocessor',
)
STATISTICS = dict(mean=[120.0, 110.0, 100.0], std=[60.0, 50.0, 40.0])
HEIGHT, WIDTH = 24, 32
SIZE = (HEIGHT, WIDTH)

_RESNET = dict(
    depth=18, base_channels=4, stem_channels=4, norm_cfg=dict(type='BN')
)
MODEL_CONFIGS = dict(
    mmseg=dict(
        type='EncoderDecoder',
        data_preprocessor=dict(bgr_to_rgb=True, size=(96, 128), **STATISTICS),
        backbone=dict(type='ResNet', style='pytorch', **_RESNET),
        decode_head=dict(
            type='FCNHead',
            in_channels=32,
            channels=8,
            num_convs=1,
            num_classes=4,
            norm_cfg=dict(type='BN'),
            loss_decode=dict(type='CrossEntropyLoss'),
        ),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    ),
    mmdet=dict(
        type='MaskRCNN',
        data_preprocessor=dict(
            bgr_to_rgb=True,
            pad_size_divisor=32,
            pad_mask=True,
            **STATISTICS,
        ),
        backbone=dict(type='ResNet', style='pytorch', **_RESNET),
        neck=dict(
            type='FPN',
            in_channels=[4, 8, 16, 32],
            out_channels=8,
            num_outs=4,
        ),
        rpn_head=dict(
            type='RPNHead',
            in_channels=8,
            feat_channels=8,
            anchor_generator=dict(
                type='AnchorGenerator',
                scales=[4],
                ratios=[1.0],
                strides=[4, 8, 16, 32],
            ),
            bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
            loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True),
            loss_bbox=dict(type='L1Loss'),
        ),
        roi_head=dict(
            type='StandardRoIHead',
            bbox_roi_extractor=dict(
                type='SingleRoIExtractor',
                roi_layer=dict(type='RoIAlign', output_size=3),
                out_channels=8,
                featmap_strides=[4, 8, 16],
            ),
            bbox_head=dict(
                type='Shared2FCBBoxHead',
                in_channels=8,
                fc_out_channels=16,
                roi_feat_size=3,
                num_classes=2,
                bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
                loss_cls=dict(type='CrossEntropyLoss'),
                loss_bbox=dict(type='L1Loss'),
            ),
            mask_roi_extractor=dict(
                type='SingleRoIExtractor',
                roi_layer=dict(type='RoIAlign', output_size=4),
                out_channels=8,
                featmap_strides=[4, 8, 16],
            ),
            mask_head=dict(
                type='FCNMaskHead',
                num_convs=1,
                in_channels=8,
                conv_out_channels=8,
                num_classes=2,
                loss_mask=dict(type='CrossEntropyLoss', use_mask=True),
            ),
        ),
        train_cfg=dict(
            rpn=dict(
                assigner=dict(
                    type='MaxIoUAssigner',
                    pos_iou_thr=0.7,
                    neg_iou_thr=0.3,
                    min_pos_iou=0.3,
                ),
                sampler=dict(
                    type='RandomSampler',
                    num=32,
                    pos_fraction=0.5,
                    add_gt_as_proposals=False,
                ),
                allowed_border=-1,
                pos_weight=-1,
            ),
            rpn_proposal=dict(
                nms_pre=50, max_per_img=20, nms=dict(iou_threshold=0.7)
            ),
            rcnn=dict(
                assigner=dict(
                    type='MaxIoUAssigner',
                    pos_iou_thr=0.5,
                    neg_iou_thr=0.5,
                    min_pos_iou=0.5,
                ),
                sampler=dict(
                    type='RandomSampler',
                    num=16,
                    pos_fraction=0.25,
                    add_gt_as_proposals=True,
                ),
                mask_size=8,
                pos_weight=-1,
            ),
        ),
        test_cfg=dict(
            rpn=dict(nms_pre=50, max_per_img=20, nms=dict(iou_threshold=0.7)),
            rcnn=dict(
                score_thr=0.0,
                nms=dict(type='nms', iou_threshold=0.5),
                max_per_img=5,
                mask_thr_binary=0.5,
            ),
        ),
    ),
    mmpretrain=dict(
        type='ImageClassifier',
        data_preprocessor=dict(to_rgb=True, num_classes=3, **STATISTICS),
        backbone=dict(
            type='ResNet',
            depth=18,
            base_channels=4,
            stem_channels=4,
            style='pytorch',
        ),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(
            type='LinearClsHead',
            num_classes=3,
            in_channels=32,
            loss=dict(type='CrossEntropyLoss'),
            topk=1,
        ),
    ),
)
HOSTS = tuple(MODEL_CONFIGS)

_LOAD = {
    'mmseg': [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations'),
    ],
    'mmdet': [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    ],
    'mmpretrain': [dict(type='LoadImageFromFile')],
}
_PACK = dict(
    mmseg=dict(type='PackSegInputs'),
    mmdet=dict(type='PackDetInputs'),
    mmpretrain=dict(type='PackInputs'),
)


def resize(host, scale=4):
    """Return the host's own way of enlarging, to be compared with."""
    size = (WIDTH * scale, HEIGHT * scale)
    return dict(type='Resize', scale=size, interpolation='nearest')


def scope(host):
    """Build under the default scope of a host."""
    return DefaultScope.overwrite_default_scope(host)


def config(host, sr=None, **preprocessor):
    """Return the config of a model, with the stage if ``sr`` is given."""
    cfg = copy.deepcopy(MODEL_CONFIGS[host])
    cfg['data_preprocessor'].update(preprocessor)
    cfg['data_preprocessor']['type'] = (PLAIN if sr is None else STAGES)[host]
    if sr is not None:
        cfg['data_preprocessor']['sr'] = sr
    return ConfigDict(cfg)


def build(host, sr=None, **preprocessor):
    """Build a model whose weights depend on the host only."""
    torch.manual_seed(0)
    with scope(host):
        model = MODELS.build(config(host, sr, **preprocessor))
        model.init_weights()
    return model


def stage(host, sr=IDENTITY, **kwargs):
    """Build the preprocessor alone."""
    with scope(host):
        # Some hosts change the lists that they are given.
        return MODELS.build(
            dict(type=STAGES[host], sr=sr, **copy.deepcopy(kwargs))
        )


def plain(host, **kwargs):
    """Build the host's preprocessor alone."""
    with scope(host):
        return MODELS.build(dict(type=PLAIN[host], **copy.deepcopy(kwargs)))


def write_files(folder, size=SIZE, seed=0):
    """Write an image and a map of labels; return their names."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    labels = rng.integers(0, 4, size, dtype=np.uint8)
    image_path, label_path = folder / 'image.png', folder / 'labels.png'
    cv2.imwrite(str(image_path), image)
    cv2.imwrite(str(label_path), labels)
    return str(image_path), str(label_path)


def raw_sample(host, folder, size=SIZE):
    """Return what a data set of the host hands to the pipeline."""
    image, labels = write_files(folder, size)
    height, width = size
    if host == 'mmseg':
        return dict(
            img_path=image,
            seg_map_path=labels,
            label_map=None,
            reduce_zero_label=False,
            seg_fields=[],
        )
    if host == 'mmdet':
        right, bottom = width - 2, height - 2
        inner = [width // 4, height // 4, right, bottom]
        outer = [2, 3, width // 2, bottom]
        return dict(
            img_path=image,
            img_id=1,
            height=height,
            width=width,
            instances=[
                dict(
                    bbox=box,
                    bbox_label=label,
                    ignore_flag=label,
                    mask=[_polygon(box)],
                )
                for label, box in enumerate((inner, outer))
            ],
        )
    return dict(img_path=image, gt_label=2)


def _polygon(box):
    left, top, right, bottom = box
    return [left, top, right, top, right, bottom, left, bottom]


def sample(host, folder, *steps, size=SIZE, load=None, pack=None, **more):
    """Run a pipeline of the host; return one packed sample."""
    pipeline = [
        *(load or _LOAD[host]),
        *steps,
        {**_PACK[host], **(pack or {})},
    ]
    with scope(host):
        return Compose(pipeline)({**raw_sample(host, folder, size), **more})


def batch(*samples):
    """Collate as the hosts do, leaving the samples as they are."""
    return dict(
        inputs=[part['inputs'] for part in samples],
        data_samples=[copy.deepcopy(part['data_samples']) for part in samples],
    )


def optim_wrapper(model, rate=0.01):
    """Return an optimizer over all parameters of a model."""
    from mmengine.optim import OptimWrapper

    return OptimWrapper(torch.optim.SGD(model.parameters(), lr=rate))


@contextmanager
def recorded(resolver):
    """Record what a super-resolver gets and gives: [(inputs, outputs)]."""
    calls = []
    kind = type(resolver)

    class Recorder(kind):
        def __call__(self, images, samples=None):
            results = super().__call__(images, samples)
            calls.append((list(images), list(results)))
            return results

    resolver.__class__ = Recorder
    try:
        yield calls
    finally:
        resolver.__class__ = kind


def assert_same(a, b, where='result', tolerance=0):
    """Compare anything that hosts hand around, to the bit by default."""
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype, where
        assert a.shape == b.shape, where
        if tolerance:
            assert torch.allclose(a, b, atol=tolerance, rtol=1e-4), where
        else:
            assert torch.equal(a, b), where
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype, where
        np.testing.assert_array_equal(a, b, where)
    elif isinstance(a, BaseDataElement):
        assert type(a) is type(b), where
        assert_same(a.metainfo, b.metainfo, f'{where}.metainfo', tolerance)
        assert_same(
            dict(a.items()), dict(b.items()), f'{where}.data', tolerance
        )
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f'{where}.{key}', tolerance)
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), where
        for number, pair in enumerate(zip(a, b, strict=True)):
            assert_same(*pair, f'{where}[{number}]', tolerance)
    elif hasattr(a, 'tensor'):  # boxes of mmdet
        assert type(a) is type(b), where
        assert_same(a.tensor, b.tensor, f'{where}.tensor', tolerance)
    elif hasattr(a, 'to_ndarray'):  # masks of mmdet
        assert type(a) is type(b), where
        assert_same(a.to_ndarray(), b.to_ndarray(), f'{where}.masks')
    else:
        assert a == b, where
