"""DSRNet-X-light: 3.5 G MACs at LR 112x80, alignment included."""

_base_ = './x.py'

experiment_name = 'dsrnet_x_light'

model = dict(
    generator=dict(
        channels=48,
        num_blocks=6,
        aligner=dict(channels=(12, 24, 32, 48), widths=(20, 32, 48, 48)),
    ),
    aligner_checkpoint='work_dirs/flownet_light',
)

# The flows of its own aligner, whose confidence it is to rely on.
alignment = 'flownet_light'
train_pipeline = [
    *_base_.load_images,
    dict(type='mmdsr.LoadAlignment', name=alignment),
    *_base_.train_pipeline[4:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
