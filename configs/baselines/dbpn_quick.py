"""DBPN, narrow: trains in minutes on a CPU."""

_base_ = '../dsrnet/teacher_quick.py'

experiment_name = 'dbpn_quick'

model = dict(
    generator=dict(
        _delete_=True,
        type='mmdsr.DBPN',
        first_channels=32,
        channels=12,
        stages=4,
    ),
    depth_loss=None,
)
