"""Table 10, row 1, at the size of teacher_quick.py: MASA-rec, narrow."""

_base_ = '../../../baselines/masa_rec_quick.py'

experiment_name = 'table10_quick_rec'
