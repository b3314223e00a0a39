"""FAKD in place of ADM, at the size of dsrnet-d_quick.py."""

_base_ = '../dsrnet-d_quick.py'

experiment_name = 'fakd_quick'

model = dict(
    adm=dict(
        _delete_=True, type='mmdsr.FAKD', max_positions=2304, loss_weight=0.1
    )
)
