"""The trunk of DSRNet-X alone, the baseline without a reference.

It is also the initialization of DSRNet-X: natural texture is learned best
without a reference to copy from.
"""

_base_ = './x.py'

experiment_name = 'dsrnet_x_trunk'

model = dict(
    generator=dict(use_reference=False, aligner=None),
    aligner_checkpoint=None,
)

train_pipeline = [
    *_base_.load_images,
    dict(type='mmdsr.PairedRefCrop', lr_size=(32, 32), ref='same'),
    dict(type='mmdsr.FlipTranspose', keys=['img', 'gt', 'ref'], flow_keys=[]),
    dict(type='PackInputs', keys=['img', 'ref'], meta_keys=_base_.meta_keys),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_evaluator = dict(metrics=_base_.val_evaluator.metrics[:2])
test_evaluator = val_evaluator
