"""DSRNet-D of dsrnet-d_quick.py by the recipe of DSRNet-X.

From the checkpoint of configs/dsrnet/teacher_60k.py.
"""

_base_ = ['../dsrnet/student_60k.py', '../_base_/models/distillation.py']

experiment_name = 'dsrnet_d_60k'

model = dict(
    _base_.distillation,
    teacher=_base_.dsrnet_t_quick,
    teacher_checkpoint='work_dirs/teacher_60k',
    # A hundredth of the paper's weight: with 0.1, its gradient is 71 times
    # that of L_rec at this size (docs/results.md, Table 11).
    adm=dict(_base_.distillation.adm, loss_weight=0.001),
)
