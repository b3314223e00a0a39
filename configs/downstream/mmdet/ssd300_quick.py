"""SSD300 for two CPU cores: its neck and head on a narrow ResNet-18.

A training step of VGG16 takes 0.9 s per image on a core. ResNet-18 at a
quarter of its width takes 0.03 s, less than MobileNetV2 at a quarter of its
width, and its batch normalization lets it learn without pretrained weights.
Sizes, strides and anchors are those of SSD300.
"""

_base_ = [
    'mmdet::_base_/models/ssd300.py',
    './_base_/sewersim_quick.py',
]

norm_cfg = dict(type='BN', requires_grad=True)
channels = (32, 64, 128, 64, 64, 64)
model = dict(
    data_preprocessor=dict(std=[58.395, 57.12, 57.375]),
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=18,
        base_channels=16,
        stem_channels=16,
        out_indices=(1, 2, 3),
        norm_cfg=norm_cfg,
        norm_eval=False,
    ),
    # The maps have 38, 19, 10, 5, 3 and 1 rows, as in SSD300.
    neck=dict(
        in_channels=channels[:3],
        out_channels=channels,
        level_strides=(2, 2, 1),
        level_paddings=(1, 1, 0),
        l2_norm_scale=None,
        norm_cfg=norm_cfg,
    ),
    # The prediction of mmdet's own head fails in mmdet 3.3.
    bbox_head=dict(type='mmdsr.SSDHead', num_classes=3, in_channels=channels),
)

img_scale = (300, 300)
train_pipeline = [
    *_base_.load_pipeline,
    dict(type='Resize', scale=img_scale, keep_ratio=False),
    dict(
        type='RandomAffine',
        max_rotate_degree=0.0,
        max_shear_degree=0.0,
        scaling_ratio_range=(0.8, 1.25),
    ),
    dict(type='YOLOXHSVRandomAug'),
    dict(type='RandomFlip', prob=0.5),
    # keep_empty=True would discard images that have lost all boxes.
    dict(type='FilterAnnotations', min_gt_bbox_wh=(2, 2), keep_empty=False),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=img_scale, keep_ratio=False),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=_base_.meta_keys),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_dataloader = test_dataloader

# An iteration takes longer than YOLOv5's.
max_iters = 850
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [{**_base_.param_scheduler[0], 'total_steps': max_iters}]
