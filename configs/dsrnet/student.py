"""DSRNet-S: the student, trained without distillation (Table 2)."""

_base_ = './teacher_plus.py'

experiment_name = 'dsrnet_student'

model = dict(
    generator=dict(
        # Table 1, DSRNet-S.
        encoder_blocks=(2, 2, 2),
        # Not in Table 1, but follows from parameters and FLOPs of Table 2.
        decoder_blocks=(1, 1, 1, 6, 4, 2),
    )
)
