"""ResNet-101 on images that DSRNet restores from a quarter of the size."""

_base_ = './resnet101_hr.py'

downsample = dict(type='mmdsr.Downsample', scale=1 / 4)
*first, pack = _base_.train_pipeline
train_dataloader = dict(dataset=dict(pipeline=[*first, downsample, pack]))
*first, pack = _base_.test_pipeline
val_dataloader = dict(dataset=dict(pipeline=[*first, downsample, pack]))
test_dataloader = val_dataloader

data_preprocessor = dict(
    type='mmdsr.SRClsDataPreprocessor',
    sr=dict(
        config='configs/dsrnet/student.py', checkpoint='work_dirs/student'
    ),
)
