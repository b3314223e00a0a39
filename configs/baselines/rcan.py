"""RCAN (Table 2); needs spandrel."""

_base_ = './masa_rec.py'

experiment_name = 'rcan'

model = dict(
    generator=dict(
        _delete_=True,
        type='mmdsr.RCAN',
        channels=64,
        num_groups=10,
        num_blocks=20,
        reduction=16,
    ),
)
