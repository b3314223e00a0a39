"""teacher_plus_match.py at the size of teacher_quick.py."""

_base_ = './teacher_quick.py'

experiment_name = 'dsrnet_teacher_plus_match_quick'

model = dict(match_loss=dict(type='mmdsr.MatchLoss', loss_weight=1e-3))

load_flow = dict(type='mmdsr.LoadFlow', scale=_base_.scale)
flow_keys = ['flow', 'visible']
pack_sample = dict(
    type='PackInputs',
    keys=['img', 'ref'],
    data_keys=['depth_lr', 'depth_ref', *flow_keys],
    meta_keys=['ref_path', 'ref_channel_order', 'stem'],
)
train_pipeline = [
    *_base_.load_sample,
    load_flow,
    # As in teacher_quick.py.
    dict(
        type='mmdsr.PairedRefCrop', lr_size=(32, 32), ref='same', ref_margin=4
    ),
    dict(type='mmdsr.FlipTranspose', keys=[*_base_.all_keys, *flow_keys]),
    pack_sample,
]
val_pipeline = [*_base_.load_sample, load_flow, pack_sample]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=val_pipeline))

val_evaluator = dict(
    metrics=[
        *_base_.val_evaluator.metrics,
        dict(type='mmdsr.MatchAccuracy'),
    ]
)
test_evaluator = val_evaluator
