"""DSRNet-D of dsrnet-d_quick.py by the recipe of DSRNet-X.

From the checkpoint of configs/dsrnet/teacher_60k.py.
"""

_base_ = '../dsrnet/student_60k.py'

experiment_name = 'dsrnet_d_60k'

model = dict(
    type='mmdsr.DSRDistiller',
    teacher=_base_.dsrnet_t_quick,
    teacher_checkpoint='work_dirs/teacher_60k',
    # As in dsrnet-d.py.
    kd_loss=dict(type='L1Loss', loss_weight=0.5, reduction='mean'),
    adm=dict(
        type='mmdsr.ADM',
        channels=64,
        bilinear='student',
        reduction='norm',
        # Hundred times less than in the paper: with 0.1, its gradient is 71
        # times that of L_rec at this size (docs/results.md, Table 11).
        loss_weight=0.001,
    ),
    feature_level='scale',
)
