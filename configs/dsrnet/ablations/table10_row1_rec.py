"""Table 10, row 1: L_rec only. According to its numbers, it is MASA-rec."""

_base_ = '../../baselines/masa_rec.py'

experiment_name = 'table10_row1_rec'
