"""DSRNet-D at a size that trains in minutes on a CPU.

From the checkpoint of `make train` (configs/dsrnet/teacher_quick.py). Same
code and losses as dsrnet-d.py.
"""

_base_ = '../dsrnet/student_quick.py'

experiment_name = 'dsrnet_d_quick'

model = dict(
    type='mmdsr.DSRDistiller',
    teacher=_base_.dsrnet_t_quick,
    teacher_checkpoint='work_dirs/teacher_quick',
    # Section 5.1, see dsrnet-d.py.
    kd_loss=dict(type='L1Loss', loss_weight=0.5, reduction='mean'),
    adm=dict(
        type='mmdsr.ADM',
        channels=64,
        bilinear='student',
        reduction='norm',
        loss_weight=0.1,
    ),
    feature_level='scale',
)
