"""DSRNet-nano: below the paper's student, for small devices."""

_base_ = ['./teacher_plus.py', '../_base_/models/dsrnet_nano.py']

experiment_name = 'dsrnet_student_nano'

model = dict(generator=_base_.dsrnet_nano)
