"""Table 11, row 2: L_rec and L_kd."""

_base_ = './dsrnet-d.py'

experiment_name = 'table11_row2_rec_kd'

model = dict(adm=None)
