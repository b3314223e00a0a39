"""MASA-rec at the size of teacher_quick.py."""

_base_ = ['../dsrnet/teacher_quick.py', '../_base_/models/masa_quick.py']

experiment_name = 'masa_rec_quick'

model = dict(generator=dict(_base_.masa_quick, _delete_=True), depth_loss=None)
