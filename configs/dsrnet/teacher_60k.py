"""DSRNet+ of teacher_quick.py by the recipe of DSRNet-X.

Its data (simulated runs and photographs), batches, schedule, clipping and
EMA. There is nothing to align: the network matches by itself. Photographs
have no depth, so that L_dep is that of the simulated samples.
"""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/dsrnet_t_quick.py',
    '../_base_/datasets/refsr_flow.py',
    '../_base_/schedules/x_60k.py',
]

experiment_name = 'dsrnet_teacher_60k'

model = dict(
    type='mmdsr.DSR',
    generator=_base_.dsrnet_t_quick,
    pixel_loss=dict(type='L1Loss', loss_weight=1.0, reduction='mean'),
    depth_loss=dict(type='mmdsr.DepthLoss', loss_weight=0.01),
    test_cfg=dict(depth='predicted'),
    data_preprocessor=dict(
        type='DataPreprocessor', mean=[0.0, 0.0, 0.0], std=[255.0] * 3
    ),
)

depth_keys = ['depth_lr', 'depth_ref']
train_pipeline = [
    *_base_.load_images,
    *_base_.load_depth,
    # As in teacher_quick.py.
    dict(
        type='mmdsr.PairedRefCrop', lr_size=(32, 32), ref='same', ref_margin=4
    ),
    dict(
        type='mmdsr.FlipTranspose',
        keys=['img', 'gt', 'ref', *depth_keys],
        flow_keys=[],
    ),
    dict(
        type='PackInputs',
        keys=['img', 'ref'],
        data_keys=depth_keys,
        meta_keys=_base_.meta_keys,
    ),
]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))

# As in x.py.
val_evaluator = dict(
    type='Evaluator',
    metrics=[
        dict(type='mmdsr.PSNR', mode='Y'),
        dict(type='mmdsr.SSIM', mode='Y'),
        dict(type='mmdsr.MatchAccuracy'),
    ],
)
test_evaluator = val_evaluator

default_hooks = dict(
    logger=dict(interval=200),
    checkpoint=dict(interval=1000, by_epoch=False),
)
custom_hooks = [
    dict(type='mmdsr.ChannelsLastHook'),
    dict(type='mmdsr.SkipSeenDataHook'),
    dict(type='EMAHook', ema_type='ExponentialMovingAverage', momentum=0.002),
    dict(type='mmdsr.StripVisualizationHook', interval=1, max_images=4),
]
log_processor = dict(by_epoch=False)
