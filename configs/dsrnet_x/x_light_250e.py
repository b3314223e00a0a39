"""DSRNet-X-light on the data and schedule of section 5.1.

Its aligner is DIS, which needs no training, so that it can be compared with
networks that are trained only on pairs.
"""

_base_ = '../baselines/masa_rec.py'

experiment_name = 'dsrnet_x_light_250e'

model = dict(
    generator=dict(
        _delete_=True,
        type='mmdsr.DSRNetX',
        channels=48,
        num_blocks=6,
        aligner=dict(type='mmdsr.DISAligner'),
    ),
)
