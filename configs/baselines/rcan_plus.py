"""RCAN+ (Table 2): RCAN, tested on eight flips and turns."""

_base_ = './masa_rec.py'

experiment_name = 'rcan_plus'

model = dict(
    generator=dict(
        _delete_=True,
        type='mmdsr.SelfEnsemble',
        network=dict(
            type='mmdsr.RCAN',
            channels=64,
            num_groups=10,
            num_blocks=20,
            reduction=16,
        ),
    ),
)
