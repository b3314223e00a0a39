"""ResNet-101 for two CPU cores: an eighth of its width, all its depth."""

_base_ = [
    'mmpretrain::_base_/models/resnet101.py',
    './_base_/sewersim_quick.py',
]

model = dict(
    backbone=dict(base_channels=8, stem_channels=8),
    head=dict(
        _delete_=True,
        type='MultiLabelLinearClsHead',
        num_classes=15,
        in_channels=256,
        thr=0.5,
        loss=_base_.bce,
    ),
)

optim_wrapper = dict(optimizer=dict(lr=4e-3))
# An epoch takes longer than one of Inception V3.
train_cfg = dict(max_epochs=11, val_interval=11)
