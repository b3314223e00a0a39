"""Table 11, row 2, at the size of dsrnet-d_quick.py: L_rec and L_kd."""

_base_ = '../dsrnet-d_quick.py'

experiment_name = 'table11_quick_rec_kd'

model = dict(adm=None)
