"""DSRNet-X-light: 3.3 G MACs at LR 112x80, alignment included."""

_base_ = './x.py'

experiment_name = 'dsrnet_x_light'

model = dict(
    generator=dict(
        channels=48,
        num_blocks=6,
        # A second search would cost more than it brings at this size.
        aligner=dict(zooms=()),
    )
)
