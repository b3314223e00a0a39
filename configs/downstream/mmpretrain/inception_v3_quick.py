"""Inception V3 for two CPU cores: an eighth of its width, all its depth."""

_base_ = [
    'mmpretrain::_base_/models/inception_v3.py',
    './_base_/sewersim_quick.py',
]

model = dict(
    backbone=dict(
        type='mmdsr.SlimInceptionV3',
        width=1 / 8,
        num_classes=15,
        aux_logits=False,
        dropout=0.2,
    ),
    head=dict(
        _delete_=True, type='MultiLabelClsHead', thr=0.5, loss=_base_.bce
    ),
)
