"""FCN with ResNet-50 on HR images; the paper names no backbone."""

_base_ = [
    'mmseg::_base_/models/fcn_r50-d8.py',
    'mmseg::_base_/schedules/schedule_20k.py',
    './_base_/pipe.py',
]

model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    decode_head=dict(num_classes=4),
    auxiliary_head=dict(num_classes=4),
)
default_hooks = dict(
    checkpoint=dict(
        interval=2000, max_keep_ckpts=2, save_best='IoU/mean', rule='greater'
    ),
    stop=dict(type='mmdsr.StopOnNonFiniteHook'),
)
