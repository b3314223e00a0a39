"""SewerSim mini, and a schedule of minutes on two CPU cores."""

_base_ = ['mmpretrain::_base_/default_runtime.py', './sewer_ml.py']

data_root = 'data/sewersim-ml'
# The network of --input sr: weights included in mmdsr.
sr = dict(_delete_=True, weights='dsrnet_x_nano')
# Half of 352x288.
frame = (176, 144)
resize = dict(
    type='Resize',
    scale=frame,
    # Antialiased when it reduces, like torchvision on images.
    backend='pillow',
    interpolation='bilinear',
)
# Stronger than in the benchmark, as the 600 images show only 120 pipes.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='RandomResizedCrop',
        scale=frame,
        crop_ratio_range=(0.5, 1.0),
        aspect_ratio_range=(1.1, 1.35),
        backend='pillow',
        interpolation='bilinear',
    ),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(
        type='ColorJitter',
        brightness=0.3,
        contrast=0.3,
        saturation=0.3,
        hue=0.2,
    ),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    resize,
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    dataset=dict(
        data_root=data_root,
        ann_file='train.csv',
        data_prefix='images/train',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=2,
    dataset=dict(
        data_root=data_root,
        ann_file='test.csv',
        data_prefix='images/test',
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

# Not in the benchmark: a schedule of three minutes on a core.
epochs = 14
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=30),
    dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True),
]
train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=epochs)
val_cfg = dict()
test_cfg = dict()
custom_hooks = [dict(type='mmdsr.PosWeightHook')]
default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(interval=2, max_keep_ckpts=2),
    stop=dict(type='mmdsr.StopOnNonFiniteHook'),
)
randomness = dict(seed=0)
