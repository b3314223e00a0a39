"""DSRNet-X: 7.6 G MACs at LR 112x80, alignment included.

The aligner is trained first (flownet_light.py) and frozen; its flows are
cached (tools/dataset_converters/cache_alignment.py), so that training steps
need no alignment. See docs/dsrnet_x.md.
"""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/refsr_flow.py',
    '../_base_/schedules/x_60k.py',
]

experiment_name = 'dsrnet_x'

model = dict(
    type='mmdsr.DSR',
    generator=dict(
        type='mmdsr.DSRNetX',
        channels=64,
        num_blocks=9,
        aligner=dict(
            type='mmdsr.FlowNet',
            channels=(12, 24, 32, 48),
            widths=(20, 32, 48, 48),
            radii=(2, 3, 4, 4),
            repeats=(1, 1, 1, 1),
            # A second search, where the camera has come closer. It has no
            # weights of its own; the cached flows of training have one search.
            zooms=(1.4,),
        ),
    ),
    pixel_loss=dict(type='L1Loss', loss_weight=1.0, reduction='mean'),
    aligner_checkpoint='work_dirs/flownet_light',
    data_preprocessor=dict(
        type='DataPreprocessor', mean=[0.0, 0.0, 0.0], std=[255.0] * 3
    ),
)

# The flows of its own aligner, so that it learns to use their confidence.
alignment = 'flownet_light'
train_pipeline = [
    *_base_.load_images,
    dict(type='mmdsr.LoadAlignment', name=alignment),
    dict(type='mmdsr.PairedRefCrop', lr_size=(32, 32), ref='whole'),
    # It also learns to handle a missing reference, a wrong one, and one that
    # is as soft as LR.
    dict(type='mmdsr.SpoilRef', missing=0.2, wrong=0.1, black=0.05, soft=0.1),
    dict(type='mmdsr.AlignRef'),
    dict(
        type='mmdsr.FlipTranspose',
        keys=['img', 'gt', 'ref', 'flow', 'confidence'],
    ),
    dict(
        type='PackInputs',
        keys=['img', 'ref'],
        data_keys=['flow', 'confidence'],
        meta_keys=_base_.meta_keys,
    ),
]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))

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
    dict(
        type='mmdsr.EMAHook',
        ema_type='ExponentialMovingAverage',
        momentum=0.002,
    ),
    dict(type='mmdsr.StripVisualizationHook', interval=1, max_images=4),
]
log_processor = dict(by_epoch=False)
