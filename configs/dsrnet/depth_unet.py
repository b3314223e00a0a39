"""The depth network alone, with a smooth map. Not in the paper.

The paper trains it with the rest, by a loss of weight 0.01. Here it is trained
first; teacher_plus.py and similar configs continue from the result:
`model.depth_checkpoint=work_dirs/depth_unet
model.generator.depth_net.upsample=resize`.
"""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/refsr.py',
]

experiment_name = 'depth_unet'
max_iters = 12000

model = dict(
    type='mmdsr.DepthEditor',
    generator=dict(
        type='mmdsr.DepthUNet',
        # As in teacher_plus.py.
        base_channels=16,
        # Transposed convolutions make the map grainy.
        upsample='resize',
    ),
    # Eq. 9, and the change of the error between pixels, which reduces grain.
    depth_loss=dict(
        type='mmdsr.DepthLoss', loss_weight=1.0, gradient_weight=1.0
    ),
    data_preprocessor=dict(
        type='DataPreprocessor', mean=[0.0, 0.0, 0.0], std=[255.0] * 3
    ),
)

# Whole images, because depth follows from the direction of the pipe. Water is
# at the bottom, so images are only mirrored horizontally.
train_pipeline = [
    *_base_.load_sample,
    dict(
        type='Flip',
        keys=_base_.all_keys,
        flip_ratio=0.5,
        direction='horizontal',
    ),
    _base_.pack_sample,
]
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(infinite=True),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(num_workers=0, dataset=dict(max_samples=32))
val_evaluator = dict(
    _delete_=True,
    type='Evaluator',
    metrics=[dict(type='mmdsr.DepthError', near=0.25)],
)
test_evaluator = val_evaluator

train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=1000
)
val_cfg = dict(type='MultiValLoop')
test_cfg = dict(type='MultiTestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-4),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=1e-3,
        total_steps=max_iters,
        pct_start=0.05,
        by_epoch=False,
    ),
]

default_hooks = dict(
    logger=dict(interval=100),
    checkpoint=dict(
        interval=500, by_epoch=False, save_best='AbsRel', rule='less'
    ),
)
custom_hooks = [
    dict(type='mmdsr.SkipSeenDataHook'),
    dict(
        type='mmdsr.EMAHook',
        ema_type='ExponentialMovingAverage',
        momentum=0.005,
    ),
]
log_processor = dict(by_epoch=False)
