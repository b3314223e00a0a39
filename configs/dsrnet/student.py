"""DSRNet-S: the student, trained without distillation (Table 2)."""

_base_ = ['./teacher_plus.py', '../_base_/models/dsrnet_s.py']

experiment_name = 'dsrnet_student'

model = dict(generator=_base_.dsrnet_s)
