"""DSRNet-D: the student of Table 2, distilled from DSRNet+ (section 5.1).

Train the teacher first (configs/dsrnet/teacher_plus.py). According to its
numbers, the paper's teacher is DSRNet+: DSRNet itself is worse than the
undistilled student.
"""

_base_ = ['../dsrnet/student.py', '../_base_/models/distillation.py']

experiment_name = 'dsrnet_d'

model = dict(
    _base_.distillation,
    teacher=_base_.dsrnet_t,
    # A checkpoint, or a working directory, of which the best one is used.
    teacher_checkpoint='work_dirs/teacher_plus',
    # L_dep is that of student.py: section 4 does not mention it, but without
    # it, the depth network of the student would not learn depth.
)
