"""SSD300 on HR images, with the augmentation of mmdet's SSD.

It enlarges 256x256 pixels to 300x300, so that the small pictures of the other
variants have 75x75 pixels.
"""

_base_ = ['mmdet::_base_/models/ssd300.py', './_base_/pipe.py']

# The prediction of mmdet's own head fails in mmdet 3.3.
model = dict(bbox_head=dict(type='mmdsr.SSDHead', num_classes=3))

img_scale = (300, 300)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='Expand',
        mean=_base_.model.data_preprocessor.mean,
        to_rgb=_base_.model.data_preprocessor.bgr_to_rgb,
        ratio_range=(1, 4),
    ),
    dict(
        type='MinIoURandomCrop',
        min_ious=(0.1, 0.3, 0.5, 0.7, 0.9),
        min_crop_size=0.3,
    ),
    dict(type='Resize', scale=img_scale, keep_ratio=False),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='PhotoMetricDistortion',
        brightness_delta=32,
        contrast_range=(0.5, 1.5),
        saturation_range=(0.5, 1.5),
        hue_delta=18,
    ),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=img_scale, keep_ratio=False),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=_base_.meta_keys),
]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_dataloader = test_dataloader

# As in mmdet: 24 epochs of a data set that is repeated five times.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=120, val_interval=5)
# Optimizer and warm-up of mmdet's SSD300, for its batches of eight.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=2e-3, momentum=0.9, weight_decay=5e-4),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=500),
    # After 16 and 22 of the 24 epochs.
    dict(type='MultiStepLR', milestones=[80, 110], by_epoch=True, gamma=0.1),
]
default_hooks = dict(
    checkpoint=dict(
        interval=5, max_keep_ckpts=2, save_best='AP50/mean', rule='greater'
    ),
    stop=dict(type='mmdsr.StopOnNonFiniteHook'),
)
custom_hooks = [
    dict(type='NumClassCheckHook'),
    dict(type='CheckInvalidLossHook', interval=50, priority='VERY_LOW'),
]
