"""DSRNet-nano-D with the schedule and the teacher of dsrnet-d_quick.py."""

_base_ = ['./dsrnet-d_quick.py', '../_base_/models/dsrnet_nano.py']

experiment_name = 'dsrnet_nano_d_quick'

model = dict(generator=_base_.dsrnet_nano)
