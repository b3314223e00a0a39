"""FlowNet, wider than that of DSRNet-X (flownet_light.py), for comparison.

It is trained alone and supervised, on crops of 80x80 LR pixels, which are
larger than those of the network, because a match may be far away.
"""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/refsr_flow.py',
]

experiment_name = 'flownet'
max_iters = 30000

model = dict(
    type='mmdsr.FlowEditor',
    generator=dict(
        type='mmdsr.FlowNet',
        channels=(16, 32, 48, 64),
        widths=(32, 48, 64, 64),
        radii=(2, 3, 4, 4),
        repeats=(1, 1, 1, 1),
    ),
    flow_loss=dict(type='mmdsr.FlowLoss'),
    data_preprocessor=dict(
        type='DataPreprocessor', mean=[0.0, 0.0, 0.0], std=[255.0] * 3
    ),
)

# A square that fits into both kinds of pictures, cropped at the same position
# in both images, so that flips keep them aligned.
train_pipeline = [
    dict(type='LoadImageFromFile', key='img', channel_order='rgb'),
    dict(type='LoadImageFromFile', key='ref', channel_order='rgb'),
    dict(type='mmdsr.LoadFlow', scale=_base_.scale),
    dict(type='mmdsr.PairedRefCrop', lr_size=(80, 80), ref='same'),
    dict(type='mmdsr.FlipTranspose', keys=['img', 'ref', 'flow', 'visible']),
    dict(
        type='PackInputs',
        keys=['img', 'ref'],
        data_keys=['flow', 'visible'],
        meta_keys=_base_.meta_keys,
    ),
]
train_dataloader = dict(batch_size=4, dataset=dict(pipeline=train_pipeline))
val_evaluator = dict(
    type='Evaluator', metrics=[dict(type='mmdsr.MatchAccuracy')]
)
test_evaluator = val_evaluator

train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=2000
)
val_cfg = dict(type='MultiValLoop')
test_cfg = dict(type='MultiTestLoop')

optim_wrapper = dict(
    # See x_60k.py.
    type='mmdsr.BFloat16OptimWrapper',
    optimizer=dict(type='AdamW', lr=8e-4, weight_decay=1e-4),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=8e-4,
        total_steps=max_iters,
        pct_start=0.05,
        by_epoch=False,
    ),
]

default_hooks = dict(
    logger=dict(interval=100),
    checkpoint=dict(
        interval=500, by_epoch=False, save_best='Match@1', rule='greater'
    ),
)
custom_hooks = [
    dict(type='mmdsr.ChannelsLastHook'),
    dict(type='mmdsr.SkipSeenDataHook'),
    dict(
        type='mmdsr.EMAHook',
        ema_type='ExponentialMovingAverage',
        momentum=0.002,
    ),
]
log_processor = dict(by_epoch=False)
