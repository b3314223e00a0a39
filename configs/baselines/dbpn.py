"""D-DBPN (Table 2)."""

_base_ = './masa_rec.py'

experiment_name = 'dbpn'

model = dict(
    generator=dict(
        _delete_=True,
        type='mmdsr.DBPN',
        first_channels=128,
        channels=32,
        stages=6,
    ),
)
