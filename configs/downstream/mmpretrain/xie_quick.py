"""The two-level network for two CPU cores: narrow, at full depth."""

_base_ = ['./_base_/xie.py', './_base_/sewersim_quick.py']

narrow = dict(
    channels=(12, 24, 48),
    hidden=(256, 128),
    # A few epochs are too short for the dropout of the full network.
    dropout=0.0,
)
model = dict(
    level1=dict(backbone=narrow, head=dict(in_channels=128)),
    level2=dict(backbone=narrow, head=dict(in_channels=128, loss=_base_.bce)),
)

optim_wrapper = dict(optimizer=dict(lr=1e-3))
