"""flownet_light.py with depth as additional input.

It shows whether depth helps alignment. Depth is exact in SewerSim and unknown
in photographs.
"""

_base_ = './flownet_light.py'

experiment_name = 'flownet_light_depth'

model = dict(generator=dict(depth_input=True))

pack_sample = dict(
    type='PackInputs',
    keys=['img', 'ref'],
    data_keys=['flow', 'visible', 'depth_lr', 'depth_ref'],
    meta_keys=_base_.meta_keys,
)
# As in flownet.py.
train_pipeline = [
    dict(type='LoadImageFromFile', key='img', channel_order='rgb'),
    dict(type='LoadImageFromFile', key='ref', channel_order='rgb'),
    dict(type='mmdsr.LoadFlow', scale=_base_.scale),
    *_base_.load_depth,
    dict(type='mmdsr.PairedRefCrop', lr_size=(80, 80), ref='same'),
    dict(
        type='mmdsr.FlipTranspose',
        keys=['img', 'ref', 'flow', 'visible', 'depth_lr', 'depth_ref'],
    ),
    pack_sample,
]
val_pipeline = [
    *_base_.load_images,
    dict(type='mmdsr.LoadFlow', scale=_base_.scale),
    *_base_.load_depth,
    pack_sample,
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=val_pipeline))
