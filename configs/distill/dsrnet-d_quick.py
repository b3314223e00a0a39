"""DSRNet-D at a size that trains in minutes on a CPU.

From the checkpoint of `make train` (configs/dsrnet/teacher_quick.py). Same
code and losses as dsrnet-d.py.
"""

_base_ = ['../dsrnet/student_quick.py', '../_base_/models/distillation.py']

experiment_name = 'dsrnet_d_quick'

model = dict(
    _base_.distillation,
    teacher=_base_.dsrnet_t_quick,
    teacher_checkpoint='work_dirs/teacher_quick',
)
