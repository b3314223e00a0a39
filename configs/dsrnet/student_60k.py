"""The student of student_quick.py by the recipe of DSRNet-X."""

_base_ = './teacher_60k.py'

experiment_name = 'dsrnet_student_60k'

# As in student_quick.py.
model = dict(
    generator=dict(encoder_blocks=(0, 0, 0), decoder_blocks=(0, 0, 0, 3, 1, 0))
)
