"""FAKD (ICIP 2020), an external baseline in the setting of DSRNet-D.

Feature affinities replace ADM; everything else is as in dsrnet-d.py.
"""

_base_ = './dsrnet-d.py'

experiment_name = 'fakd'

model = dict(
    adm=dict(
        _delete_=True,
        type='mmdsr.FAKD',
        # The positions of the 48x48 crops of FAKD; larger maps are pooled.
        max_positions=2304,
        # As for ADM (section 5.1), so that only the kind of loss differs.
        loss_weight=0.1,
    )
)
