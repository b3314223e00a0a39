"""Table 11, row 3, at the size of dsrnet-d_quick.py: L_rec and L_ad."""

_base_ = '../dsrnet-d_quick.py'

experiment_name = 'table11_quick_rec_ad'

model = dict(kd_loss=None)
