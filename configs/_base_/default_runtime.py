"""Common part of all super-resolution configs: scope, hooks, logs, seeds."""

# mmagic's registries; components of mmdsr are always written 'mmdsr.X'.
default_scope = 'mmagic'
# A clear error at the start if the package is not installed.
custom_imports = dict(imports=['mmdsr'], allow_failed_imports=False)

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # Two, because the oldest is removed before the newest is complete.
    checkpoint=dict(
        type='CheckpointHook',
        interval=1,
        by_epoch=True,
        max_keep_ckpts=2,
        save_best='PSNR-Y',
        rule='greater',
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    # Stop at a NaN and keep the good checkpoints.
    stop=dict(type='mmdsr.StopOnNonFiniteHook'),
)
custom_hooks = [
    dict(type='mmdsr.SkipSeenDataHook'),
    # LR | bicubic | Ref | SR | HR | depth, the same samples each time.
    dict(type='mmdsr.StripVisualizationHook', interval=100, max_images=8),
]

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # tools/*.py use gloo where there is no CUDA device.
    dist_cfg=dict(backend='nccl'),
)
# Runs on the CPU are reproducible bit by bit. deterministic=True would require
# the same of CUDA, which has no deterministic kernel for the gradient of
# bicubic interpolation.
randomness = dict(seed=0, deterministic=False)

log_level = 'INFO'
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=True)

load_from = None
resume = False

# Wraps generator and discriminator one by one; no parameter is unused.
model_wrapper_cfg = dict(
    type='MMSeparateDistributedDataParallel', find_unused_parameters=False
)

vis_backends = [
    dict(type='LocalVisBackend'),
    dict(type='mmengine.TensorboardVisBackend'),
]
visualizer = dict(type='mmengine.Visualizer', vis_backends=vis_backends)
