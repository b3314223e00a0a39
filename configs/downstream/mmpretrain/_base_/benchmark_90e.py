"""The training schedule of all CNNs in the Sewer-ML benchmark."""

_base_ = ['mmpretrain::_base_/default_runtime.py', './sewer_ml.py']

optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4)
)
param_scheduler = dict(
    type='MultiStepLR', by_epoch=True, milestones=[30, 60, 80], gamma=0.1
)
train_cfg = dict(by_epoch=True, max_epochs=90, val_interval=1)
val_cfg = dict()
test_cfg = dict()
# For --auto-scale-lr of mmpretrain's own tools/train.py.
auto_scale_lr = dict(base_batch_size=256)

# pos_weight = (N - N_c) / N_c over the training images.
custom_hooks = [dict(type='mmdsr.PosWeightHook')]
# The benchmark keeps the epoch of the smallest validation loss, usually one
# of 30 to 40; mmpretrain computes no loss there.
default_hooks = dict(
    checkpoint=dict(
        type='CheckpointHook',
        interval=1,
        max_keep_ckpts=2,
        save_best='F1/mean',
        rule='greater',
    ),
    stop=dict(type='mmdsr.StopOnNonFiniteHook'),
)
