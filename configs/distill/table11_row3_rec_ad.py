"""Table 11, row 3: L_rec and L_ad."""

_base_ = './dsrnet-d.py'

experiment_name = 'table11_row3_rec_ad'

model = dict(kd_loss=None)
