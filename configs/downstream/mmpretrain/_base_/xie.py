"""The two-level network of Xie et al. (2019) without the level-2 loss."""

backbone = dict(type='mmdsr.XieNet')
head = dict(
    type='MultiLabelLinearClsHead',
    in_channels=512,
    thr=0.5,
    # The default initialization of torch.
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
