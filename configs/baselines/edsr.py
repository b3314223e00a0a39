"""EDSR (Table 2); the reference is loaded and ignored."""

_base_ = './masa_rec.py'

experiment_name = 'edsr'

model = dict(
    generator=dict(
        _delete_=True, type='mmdsr.EDSR', channels=64, num_blocks=20
    ),
)
