"""EfficientNet-Lite0 with ImageNet weights and their normalization."""

model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmdsr.EfficientNetLite0'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='MultiLabelLinearClsHead',
        num_classes=15,
        in_channels=1280,
        thr=0.5,
    ),
)
