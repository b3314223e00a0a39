"""RCAN+ (Table 2): RCAN, tested on eight flips and turns."""

_base_ = './rcan.py'

experiment_name = 'rcan_plus'

model = dict(
    generator=dict(
        _delete_=True,
        type='mmdsr.SelfEnsemble',
        network=_base_.model.generator,
    ),
)
