"""Masks of the Pipe data set (256x256), or of your images in its layout."""

_base_ = 'mmseg::_base_/default_runtime.py'

# A clear error at the start if the package is not installed.
custom_imports = dict(imports=['mmdsr'], allow_failed_imports=False)

data_root = 'data/pipe'
# The network of --input sr: the paper's DSRNet-S, which must be trained.
sr = dict(config='configs/dsrnet/student.py', checkpoint='work_dirs/student')
crop_size = (256, 256)
# For the authors' masks with five ids, set num_ids=5 of mmdsr.LoadPipeMask and
# source_classes of the data sets.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdsr.LoadPipeMask'),
    # Never smaller than the crop, so that every crop has its size and
    # mmdsr.Downsample can divide it.
    dict(
        type='RandomResize',
        scale=crop_size,
        ratio_range=(1.0, 2.0),
        keep_ratio=True,
    ),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=1.0),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdsr.LoadPipeMask'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    # The paper gives no schedule: 20k iterations of 16 images are mmseg's
    # schedule for the same networks on VOC 2012.
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='mmdsr.PipeSegDataset',
        data_root=data_root,
        data_prefix=dict(img_path='images/train', seg_map_path='masks/train'),
        pipeline=train_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmdsr.PipeSegDataset',
        data_root=data_root,
        data_prefix=dict(img_path='images/test', seg_map_path='masks/test'),
        pipeline=test_pipeline,
    ),
)
val_dataloader = test_dataloader
test_evaluator = dict(type='mmdsr.PipeIoUMetric')
val_evaluator = test_evaluator
