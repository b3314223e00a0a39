"""EDSR, narrow: trains in minutes on a CPU."""

_base_ = '../dsrnet/teacher_quick.py'

experiment_name = 'edsr_quick'

model = dict(
    generator=dict(
        _delete_=True, type='mmdsr.EDSR', channels=32, num_blocks=10
    ),
    depth_loss=None,
)
