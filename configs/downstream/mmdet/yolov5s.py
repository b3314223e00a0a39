"""YOLOv5s on HR images.

The paper does not say how it was trained. Optimizer, averaged weights, mosaic
and number of epochs are those of mmdet's YOLOX-s, at its rate of 0.01.
"""

_base_ = ['./_base_/yolov5s.py', './_base_/pipe.py']

width, height = _base_.img_scale
train_pipeline = [
    dict(type='Mosaic', img_scale=_base_.img_scale, pad_val=114.0),
    dict(
        type='RandomAffine',
        max_rotate_degree=0.0,
        max_shear_degree=0.0,
        # YOLOv5's default; YOLOX uses 0.1 to 2, for objects of all sizes.
        scaling_ratio_range=(0.5, 1.5),
        # Mosaic doubles the sides; this crops them to img_scale again.
        border=(-width // 2, -height // 2),
    ),
    dict(type='YOLOXHSVRandomAug'),
    dict(type='RandomFlip', prob=0.5),
    # keep_empty=True would discard images that have lost all boxes.
    dict(type='FilterAnnotations', min_gt_bbox_wh=(2, 2), keep_empty=False),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='MultiImageMixDataset',
        dataset=dict(**_base_.train_dataset, pipeline=_base_.load_pipeline),
        pipeline=train_pipeline,
    )
)

max_epochs = 300
train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=10
)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(
        type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4, nesterov=True
    ),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
param_scheduler = [
    # Three epochs of warm-up as in YOLOv5, then one cosine to a hundredth.
    dict(
        type='LinearLR',
        start_factor=1e-3,
        by_epoch=True,
        begin=0,
        end=3,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        eta_min=1e-4,
        begin=3,
        end=max_epochs,
        T_max=max_epochs - 3,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
default_hooks = dict(
    checkpoint=dict(
        interval=10, max_keep_ckpts=2, save_best='AP50/mean', rule='greater'
    ),
    stop=dict(type='mmdsr.StopOnNonFiniteHook'),
)
custom_hooks = [
    dict(
        type='EMAHook',
        ema_type='ExpMomentumEMA',
        momentum=1e-4,
        update_buffers=True,
        priority=49,
    )
]
