"""DSRNet+ at a size that trains in minutes on a CPU: `make train`.

Same code and losses as teacher_plus.py; a quarter of the width, fewer blocks
and crops instead of whole images.
"""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/dsrnet_t_quick.py',
    '../_base_/datasets/refsr.py',
]

experiment_name = 'dsrnet_teacher_quick'
max_iters = 2000
checkpoint_interval = 250
val_interval = 500

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

train_pipeline = [
    *_base_.load_sample,
    # 2 x 2 matching blocks. The reference is 4 LR pixels larger on every side,
    # as the adjacent frame shows the same wall slightly shifted.
    dict(
        type='mmdsr.PairedRefCrop', lr_size=(32, 32), ref='same', ref_margin=4
    ),
    *_base_.flip_sample,
    _base_.pack_sample,
]
train_dataloader = dict(
    batch_size=2,
    # Loading takes a tenth of a step: a worker would only take the second
    # core from the computation.
    num_workers=0,
    sampler=dict(infinite=True),
    dataset=dict(pipeline=train_pipeline),
)
# A few whole images are enough to see progress; tests use all of them.
val_dataloader = dict(num_workers=0, dataset=dict(max_samples=8))

train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=val_interval
)
val_cfg = dict(type='MultiValLoop')
test_cfg = dict(type='MultiTestLoop')

# A short run of a narrow network tolerates more than the paper's 2e-4.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=1.5e-3, betas=(0.9, 0.999)),
)
warmup = 100
param_scheduler = [
    dict(
        type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=warmup
    ),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        begin=warmup,
        end=max_iters,
        T_max=max_iters - warmup,
        eta_min=1.5e-5,
    ),
]

default_hooks = dict(
    logger=dict(interval=50),
    checkpoint=dict(interval=checkpoint_interval, by_epoch=False),
)
custom_hooks = [
    dict(type='mmdsr.SkipSeenDataHook'),
    dict(type='mmdsr.StripVisualizationHook', interval=1, max_images=4),
]
log_processor = dict(by_epoch=False)
