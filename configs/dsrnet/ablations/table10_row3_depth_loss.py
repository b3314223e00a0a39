"""Table 10, row 3: L_rec and L_dep. This is DSRNet+."""

_base_ = '../teacher_plus.py'

experiment_name = 'table10_row3_depth_loss'
