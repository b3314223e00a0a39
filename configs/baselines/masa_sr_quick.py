"""MASA-SR at the size of teacher_quick.py."""

_base_ = ['../dsrnet/teacher_gan_quick.py', '../_base_/models/masa_quick.py']

experiment_name = 'masa_sr_quick'

model = dict(
    generator=dict(_base_.masa_quick, _delete_=True),
    # MASA-SR's losses, as in masa_sr.py.
    perceptual_loss=dict(criterion='l1', loss_weight=1.0),
    gan_loss=dict(loss_weight=2.5e-3),
    depth_loss=None,
)
