"""DSRNet-D: the student of Table 2, distilled from DSRNet+ (section 5.1).

Train the teacher first (configs/dsrnet/teacher_plus.py). According to its
numbers, the paper's teacher is DSRNet+: DSRNet itself is worse than the
undistilled student.
"""

_base_ = '../dsrnet/student.py'

experiment_name = 'dsrnet_d'

model = dict(
    type='mmdsr.DSRDistiller',
    teacher=_base_.dsrnet_t,
    # A checkpoint, or a working directory, of which the best one is used.
    teacher_checkpoint='work_dirs/teacher_plus',
    # Eq. 23, lambda_kd = 0.5 (section 5.1).
    kd_loss=dict(type='L1Loss', loss_weight=0.5, reduction='mean'),
    # Eq. 16-21, lambda_ad = 0.1 (section 5.1).
    adm=dict(
        type='mmdsr.ADM',
        # Not in the paper; the authors' code.
        channels=64,
        # The index as printed in Eq. 18; 'teacher' is that of AFD.
        bilinear='student',
        # The plain L2 norm of Eq. 19 and 20; 'mse' is AFD's, which needs a
        # weight of 200.
        reduction='norm',
        loss_weight=0.1,
    ),
    # Not in the paper; the authors' code. 'block' is the other choice.
    feature_level='scale',
    # L_dep is that of student.py: section 4 does not mention it, but without
    # it, the depth network of the student would not learn depth.
)
