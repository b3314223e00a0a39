"""MDSR, narrow: trains in minutes on a CPU."""

_base_ = '../dsrnet/teacher_quick.py'

experiment_name = 'mdsr_quick'

model = dict(
    generator=dict(
        _delete_=True, type='mmdsr.MDSR', channels=32, num_blocks=8
    ),
    depth_loss=None,
)
