"""DeepLabv3+ on images that DSRNet restores from a quarter of the size."""

_base_ = './deeplabv3plus_hr.py'

# Right before PackSegInputs: the masks stay in the frame of the large image.
downsample = dict(type='mmdsr.Downsample', scale=1 / 4)
*first, pack = _base_.train_pipeline
train_dataloader = dict(dataset=dict(pipeline=[*first, downsample, pack]))
*first, pack = _base_.test_pipeline
val_dataloader = dict(dataset=dict(pipeline=[*first, downsample, pack]))
test_dataloader = val_dataloader

model = dict(
    data_preprocessor=dict(
        type='mmdsr.SRSegDataPreProcessor',
        sr=dict(
            config='configs/dsrnet/student.py', checkpoint='work_dirs/student'
        ),
    )
)
