"""ResNet-101 on the high-resolution images of Sewer-ML."""

_base_ = [
    'mmpretrain::_base_/models/resnet101.py',
    './_base_/benchmark_90e.py',
]

model = dict(
    head=dict(
        _delete_=True,
        type='MultiLabelLinearClsHead',
        num_classes=15,
        in_channels=2048,
        thr=0.5,
        loss=_base_.bce,
    ),
)
