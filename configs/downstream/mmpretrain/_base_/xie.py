"""The two-level network after Xie et al. 2019, without level 2's loss."""

backbone = dict(type='mmdsr.XieNet')
head = dict(
    type='MultiLabelLinearClsHead',
    in_channels=512,
    thr=0.5,
    # As torch initializes it.
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
        head=dict(num_classes=15, **head),
    ),
)
