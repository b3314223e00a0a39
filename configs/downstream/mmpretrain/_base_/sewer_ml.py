"""Sewer-ML with the 15 classes of the paper's tables, and its metrics."""

# A clear error at the start if the package is not installed.
custom_imports = dict(imports=['mmdsr'], allow_failed_imports=False)

data_root = 'data/sewer_ml'
# The network of --input sr: the paper's DSRNet-S, which must be trained.
sr = dict(config='configs/dsrnet/student.py', checkpoint='work_dirs/student')
# Width and height of the input of the network, after super-resolution, as in
# the benchmark. All images of Sewer-ML are resized to it.
frame = (224, 224)
resize = dict(
    type='Resize',
    scale=frame,
    # Antialiased when it reduces, like torchvision on images.
    backend='pillow',
    interpolation='bilinear',
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    resize,
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    # As in the benchmark.
    dict(
        type='ColorJitter',
        brightness=0.1,
        contrast=0.1,
        saturation=0.1,
        hue=0.1,
    ),
    # --input lr and sr put mmdsr.Downsample here.
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    resize,
    dict(type='PackInputs'),
]

# Mean and standard deviation of the benchmark's training split.
data_preprocessor = dict(
    num_classes=15,
    mean=[0.523 * 255, 0.453 * 255, 0.345 * 255],
    std=[0.210 * 255, 0.199 * 255, 0.154 * 255],
    to_rgb=True,
)
train_dataloader = dict(
    batch_size=256,
    num_workers=8,
    persistent_workers=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmdsr.SewerMLDataset',
        data_root=data_root,
        ann_file='SewerML_Train.csv',
        data_prefix='train',
        label_set='15',
        pipeline=train_pipeline,
    ),
)
# The labels of the test split are not public.
val_dataloader = dict(
    batch_size=256,
    num_workers=8,
    persistent_workers=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmdsr.SewerMLDataset',
        data_root=data_root,
        ann_file='SewerML_Val.csv',
        data_prefix='valid',
        label_set='15',
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='mmdsr.SewerMLMetric', thr=0.5)
test_evaluator = val_evaluator

# mmpretrain averages the loss over images, the benchmark also over classes.
bce = dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1 / 15)
