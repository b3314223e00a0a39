"""Inception V3 on the high-resolution images of Sewer-ML."""

_base_ = [
    'mmpretrain::_base_/models/inception_v3.py',
    './_base_/benchmark_90e.py',
]

model = dict(
    backbone=dict(num_classes=15, aux_logits=True),
    # mmpretrain's heads do not support an auxiliary branch.
    head=dict(
        _delete_=True,
        type='mmdsr.AuxMultiLabelClsHead',
        aux_weight=0.4,
        thr=0.5,
        loss=_base_.bce,
    ),
)

# The benchmark has 299, not a multiple of 4; both give a grid of 8x8.
resize = dict(_base_.resize, scale=(300, 300))
load, _, *rest = _base_.train_pipeline
train_pipeline = [load, resize, *rest]
load, _, *rest = _base_.test_pipeline
test_pipeline = [load, resize, *rest]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
