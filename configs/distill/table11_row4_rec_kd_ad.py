"""Table 11, row 4: L_rec, L_kd and L_ad. This is DSRNet-D."""

_base_ = './dsrnet-d.py'

experiment_name = 'table11_row4_rec_kd_ad'
