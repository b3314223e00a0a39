"""The student of teacher_quick.py, without distillation.

Half of all residual blocks, rounded down, which leaves none in the encoders.
As in the paper, the student has two thirds of the cost of its teacher.
"""

_base_ = './teacher_quick.py'

experiment_name = 'dsrnet_student_quick'

model = dict(
    generator=dict(encoder_blocks=(0, 0, 0), decoder_blocks=(0, 0, 0, 3, 1, 0))
)
