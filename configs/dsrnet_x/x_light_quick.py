"""DSRNet-X-light on the data and schedule of teacher_quick.py.

Its aligner is DIS, which needs no training, so that it can be compared with
networks that train on nothing but pairs.
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
