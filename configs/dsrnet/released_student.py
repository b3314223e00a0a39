"""DSRNet-S as in the authors' code, see released_teacher.py."""

_base_ = './released_teacher.py'

experiment_name = 'dsrnet_released_student'

model = dict(
    generator=dict(encoder_blocks=(2, 2, 2), decoder_blocks=(1, 1, 1, 6, 4, 2))
)
