"""The two-level network for two CPU cores: a fifth of its width."""

_base_ = './_base_/sewersim_quick.py'

backbone = dict(
    type='mmdsr.XieNet',
    channels=(12, 24, 48),
    hidden=(256, 128),
    # A few epochs are too short for the dropout of the full network.
    dropout=0.0,
)
head = dict(
    type='MultiLabelLinearClsHead',
    in_channels=128,
    thr=0.5,
    # As torch initialises it.
    init_cfg=None,
)
model = dict(
    type='mmdsr.TwoStageClassifier',
    strategy='replace',
    level1=dict(
        type='ImageClassifier',
        backbone=backbone,
        head=dict(
            num_classes=1,
            loss=dict(type='CrossEntropyLoss', use_sigmoid=True),
            **head,
        ),
    ),
    level2=dict(
        type='ImageClassifier',
        backbone=backbone,
        head=dict(num_classes=15, loss=_base_.bce, **head),
    ),
)

optim_wrapper = dict(optimizer=dict(lr=1e-3))
