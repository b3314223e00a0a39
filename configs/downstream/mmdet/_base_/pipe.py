"""Boxes of the Pipe data set (256x256), or of your images in its layout."""

_base_ = 'mmdet::_base_/default_runtime.py'

# A clear error at the start if the package is not installed.
custom_imports = dict(imports=['mmdsr'], allow_failed_imports=False)

data_root = 'data/pipe'
# The network of --input sr: the paper's DSRNet-S, which must be trained.
sr = dict(config='configs/dsrnet/student.py', checkpoint='work_dirs/student')
# In the order of the categories in the annotation files, because mmdet always
# numbers the classes in that order.
metainfo = dict(
    classes=('JO', 'IL', 'IN'),
    palette=[(230, 159, 0), (0, 158, 115), (86, 180, 233)],
)
# The size of the images, so that mmdsr.Downsample gets unscaled images.
img_scale = (256, 256)
meta_keys = (
    'img_id',
    'img_path',
    'ori_shape',
    'img_shape',
    'scale_factor',
    # The truth in the frame of the file, for mmdsr.PipeAPMetric.
    'instances',
)
load_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=img_scale, keep_ratio=True),
    # The largest stride of YOLOv5, and the gray value of its padding.
    dict(type='Pad', size_divisor=32, pad_val=dict(img=(114.0, 114.0, 114.0))),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=meta_keys),
]
train_dataset = dict(
    type='CocoDataset',
    data_root=data_root,
    ann_file='annotations/train.json',
    data_prefix=dict(img='images/train'),
    metainfo=metainfo,
    # Images without defects teach the detector to avoid false alarms.
    filter_cfg=dict(filter_empty_gt=False),
)
train_dataloader = dict(
    # The paper does not describe this schedule; this one is for one GPU.
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=train_dataset,
)
test_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CocoDataset',
        data_root=data_root,
        ann_file='annotations/test.json',
        data_prefix=dict(img='images/test'),
        metainfo=metainfo,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_dataloader = test_dataloader
test_evaluator = dict(type='mmdsr.PipeAPMetric')
val_evaluator = test_evaluator
test_cfg = dict(type='TestLoop')
val_cfg = dict(type='ValLoop')
