"""SewerSim mini, and a schedule of three minutes on a CPU core."""

_base_ = './pipe.py'

data_root = 'data/sewersim-pipe'
# The network of --input sr: weights included in mmdsr.
sr = dict(_delete_=True, weights='dsrnet_x_nano')
train_dataset = dict(data_root=data_root)
train_dataloader = dict(
    batch_size=4,
    sampler=dict(_delete_=True, type='InfiniteSampler', shuffle=True),
    dataset=dict(data_root=data_root),
)
test_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = test_dataloader

# Not in the paper: a schedule of three minutes on a core.
max_iters = 1200
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters
)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.02),
)
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=3e-3,
        total_steps=max_iters,
        by_epoch=False,
        pct_start=0.15,
    )
]
default_hooks = dict(
    logger=dict(log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=300, max_keep_ckpts=2),
    stop=dict(type='mmdsr.StopOnNonFiniteHook'),
)
log_processor = dict(by_epoch=False)
