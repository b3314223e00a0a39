"""DSRNet+ with supervised matching, L_match. Not in the paper.

The data set must have the true flow to the reference, like SewerSim (poses and
exact depth) and photos-refsr (flow files). Without it, L_match is 0.
"""

_base_ = './teacher_plus.py'

experiment_name = 'dsrnet_teacher_plus_match'

model = dict(
    # About the size of L_rec at the start.
    match_loss=dict(type='mmdsr.MatchLoss', loss_weight=1e-3)
)

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
    # Instead of mmagic's flips, which do not transform a flow.
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
