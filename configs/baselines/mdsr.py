"""MDSR for scale factor 4 (Table 2)."""

_base_ = './masa_rec.py'

experiment_name = 'mdsr'

model = dict(
    generator=dict(
        _delete_=True, type='mmdsr.MDSR', channels=64, num_blocks=20
    ),
)
