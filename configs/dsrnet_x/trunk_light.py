"""The trunk of DSRNet-X-light alone, and its initialization."""

_base_ = './trunk.py'

experiment_name = 'dsrnet_x_trunk_light'

model = dict(generator=dict(channels=48, num_blocks=6))
