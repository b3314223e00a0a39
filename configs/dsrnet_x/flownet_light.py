"""FlowNet of DSRNet-X, -light and -nano: 0.31 M parameters.

The first stage of their training; its weights are then frozen.
"""

_base_ = './flownet.py'

experiment_name = 'flownet_light'

model = dict(
    generator=dict(channels=(12, 24, 32, 48), widths=(20, 32, 48, 48))
)
