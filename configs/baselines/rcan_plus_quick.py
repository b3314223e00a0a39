"""RCAN+, narrow: trains in minutes on a CPU."""

_base_ = './rcan_quick.py'

experiment_name = 'rcan_plus_quick'

model = dict(
    generator=dict(
        _delete_=True,
        type='mmdsr.SelfEnsemble',
        network=_base_.model.generator,
    ),
)
