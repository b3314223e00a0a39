"""DSRNet-X-light on the data and schedule of teacher_quick.py.

Otherwise it is like x_light_250e.py.
"""

_base_ = '../dsrnet/teacher_quick.py'

experiment_name = 'dsrnet_x_light_quick'

model = dict(
    generator=dict(
        _delete_=True,
        type='mmdsr.DSRNetX',
        channels=48,
        num_blocks=6,
        aligner=dict(type='mmdsr.DISAligner'),
    ),
    depth_loss=None,
)
