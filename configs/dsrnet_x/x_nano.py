"""DSRNet-X-nano: 0.94 G MACs at LR 112x80, alignment included."""

_base_ = './x_light.py'

experiment_name = 'dsrnet_x_nano'

model = dict(generator=dict(channels=24, num_blocks=3))
