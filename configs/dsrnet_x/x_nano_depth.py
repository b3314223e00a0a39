"""x_nano.py with depth as evidence of where the flow is right.

The depth of both images indicates where they show the same spot, and how much
larger the reference shows it. It is exact in SewerSim and unknown in
photographs.
"""

_base_ = './x_nano.py'

experiment_name = 'dsrnet_x_nano_depth'

model = dict(generator=dict(depth_cues=True))

# As in x.py.
train_pipeline = [
    *_base_.load_images,
    *_base_.load_depth,
    dict(type='mmdsr.LoadAlignment', name=_base_.alignment),
    dict(type='mmdsr.PairedRefCrop', lr_size=(32, 32), ref='whole'),
    dict(type='mmdsr.SpoilRef', missing=0.2, wrong=0.1, black=0.05, soft=0.1),
    dict(type='mmdsr.AlignRef'),
    dict(
        type='mmdsr.FlipTranspose',
        keys=[
            'img',
            'gt',
            'ref',
            'flow',
            'confidence',
            'depth_lr',
            'depth_ref',
        ],
    ),
    dict(
        type='PackInputs',
        keys=['img', 'ref'],
        data_keys=['flow', 'confidence', 'depth_lr', 'depth_ref'],
        meta_keys=_base_.meta_keys,
    ),
]
val_pipeline = [
    *_base_.load_images,
    *_base_.load_depth,
    dict(type='mmdsr.LoadFlow', scale=_base_.scale),
    dict(
        type='PackInputs',
        keys=['img', 'ref'],
        data_keys=['flow', 'visible', 'depth_lr', 'depth_ref'],
        meta_keys=_base_.meta_keys,
    ),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=val_pipeline))
