"""The trunk of DSRNet-X-nano alone, and its initialization."""

_base_ = './trunk.py'

experiment_name = 'dsrnet_x_trunk_nano'

model = dict(generator=dict(channels=24, num_blocks=3))
