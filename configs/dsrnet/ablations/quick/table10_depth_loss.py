"""Table 10, row 3, at the size of teacher_quick.py: L_rec and L_dep."""

_base_ = '../../teacher_quick.py'

experiment_name = 'table10_quick_depth_loss'
