"""FCN for two CPU cores: ResNet-18 at a quarter of its width, stride 16."""

_base_ = [
    'mmseg::_base_/models/fcn_r50-d8.py',
    './_base_/sewersim_quick.py',
]

model = dict(
    pretrained=None,
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=_base_.quick_backbone,
    decode_head=dict(
        in_channels=128,
        channels=32,
        num_classes=4,
        norm_cfg=_base_.quick_norm,
        loss_decode=_base_.quick_loss,
    ),
    auxiliary_head=None,
)
