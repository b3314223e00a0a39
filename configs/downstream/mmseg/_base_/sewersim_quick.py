"""SewerSim mini, and a schedule of three minutes on a CPU core."""

_base_ = './pipe.py'

data_root = 'data/sewersim-pipe'
# The network of --input sr: weights included in mmdsr.
sr = dict(_delete_=True, weights='dsrnet_x_nano')
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdsr.LoadPipeMask'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
# A worker would take a core from training, and loading is fast.
workers = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(
    batch_size=4,
    dataset=dict(data_root=data_root, pipeline=train_pipeline),
    **workers,
)
test_dataloader = dict(dataset=dict(data_root=data_root), **workers)
val_dataloader = test_dataloader

# 96 % of the pixels are background, and some defects are a few pixels wide.
quick_loss = [
    dict(
        type='CrossEntropyLoss',
        class_weight=[0.25, 1.0, 2.5, 2.5],
        # With 'mean', mmseg 1.2.2 does not support ignored pixels (255)
        # together with class_weight; the runner averages, too.
        reduction='none',
        loss_weight=3.0,
    ),
    # Only over the defects.
    dict(type='DiceLoss', use_sigmoid=False, ignore_index=0, loss_weight=1.0),
]
quick_norm = dict(type='BN', requires_grad=True)
# ResNet-18 at a quarter of its width, stride 16.
quick_backbone = dict(
    depth=18,
    base_channels=16,
    stem_channels=16,
    strides=(1, 2, 2, 1),
    dilations=(1, 1, 1, 2),
    norm_cfg=quick_norm,
)

# Not in the paper: a schedule of three minutes on a core.
max_iters = 800
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.01),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        begin=100,
        end=max_iters,
        T_max=max_iters - 100,
    ),
]
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='CheckpointHook', by_epoch=False, interval=100, max_keep_ckpts=2
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='SegVisualizationHook'),
    stop=dict(type='mmdsr.StopOnNonFiniteHook'),
)
randomness = dict(seed=0)
