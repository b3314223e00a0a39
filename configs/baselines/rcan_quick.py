"""RCAN, narrow: trains in minutes on a CPU."""

_base_ = '../dsrnet/teacher_quick.py'

experiment_name = 'rcan_quick'

model = dict(
    generator=dict(
        _delete_=True,
        type='mmdsr.RCAN',
        channels=32,
        num_groups=3,
        num_blocks=3,
        reduction=8,
    ),
    depth_loss=None,
)

# With the rate of teacher_quick.py, it diverges after 600 steps.
optim_wrapper = dict(optimizer=dict(lr=5e-4))
