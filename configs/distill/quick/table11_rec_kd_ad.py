"""Table 11, row 4, at the size of dsrnet-d_quick.py: all three losses."""

_base_ = '../dsrnet-d_quick.py'

experiment_name = 'table11_quick_rec_kd_ad'
