"""DeepLabv3+ for two CPU cores: a quarter of ResNet-18's width, stride 16."""

_base_ = [
    'mmseg::_base_/models/deeplabv3plus_r50-d8.py',
    './_base_/sewersim_quick.py',
]

model = dict(
    pretrained=None,
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=_base_.quick_backbone,
    decode_head=dict(
        in_channels=128,
        channels=32,
        # The map has 16 rows: the usual 12 and 18 reach into its padding.
        dilations=(1, 2, 4, 6),
        c1_in_channels=16,
        c1_channels=12,
        num_classes=4,
        norm_cfg=_base_.quick_norm,
        loss_decode=_base_.quick_loss,
    ),
    auxiliary_head=None,
)

# With half of it, which is best for FCN, it detects neither IL nor IN.
optim_wrapper = dict(optimizer=dict(lr=6e-3))
# An iteration takes a quarter longer than with FCN.
max_iters = 700
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [
    warm_up,
    dict(cosine, end=max_iters, T_max=max_iters - warm_up['end']),
]
