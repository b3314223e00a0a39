"""Table 11, row 1, at the size of dsrnet-d_quick.py: L_rec only."""

_base_ = '../dsrnet-d_quick.py'

experiment_name = 'table11_quick_rec'

model = dict(kd_loss=None, adm=None)
