"""DSRNet+ of teacher_quick.py by the recipe of DSRNet-X.

Its data (simulated runs and photographs), batches, schedule, clipping and
EMA. There is nothing to align: the network matches by itself. Photographs
have no depth, so that L_dep is that of the simulated samples.
"""

_base_ = ['../dsrnet_x/x.py', '../_base_/models/dsrnet_t_quick.py']

experiment_name = 'dsrnet_teacher_60k'

model = dict(
    generator=dict(_base_.dsrnet_t_quick, _delete_=True),
    aligner_checkpoint=None,
    # As in teacher_quick.py.
    depth_loss=dict(type='mmdsr.DepthLoss', loss_weight=0.01),
    test_cfg=dict(depth='predicted'),
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
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
