"""Schedule of DSRNet-X: 60,000 steps of eight crops on a CPU."""

max_iters = 60000

train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=2000
)
val_cfg = dict(type='MultiValLoop')
test_cfg = dict(type='MultiTestLoop')

optim_wrapper = dict(
    # Half the time on processors with bfloat16 multiplication.
    type='mmdsr.BFloat16OptimWrapper',
    optimizer=dict(type='Adam', lr=6e-4, betas=(0.9, 0.99)),
    # Without it, a smaller trunk diverged on photographs after 700 steps.
    clip_grad=dict(max_norm=0.05),
)
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=6e-4,
        total_steps=max_iters,
        pct_start=0.05,
        by_epoch=False,
    ),
]
