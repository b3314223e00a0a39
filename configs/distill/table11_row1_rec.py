"""Table 11, row 1: L_rec only. This is DSRNet-S, without a teacher."""

_base_ = './dsrnet-d.py'

experiment_name = 'table11_row1_rec'

model = dict(kd_loss=None, adm=None)
