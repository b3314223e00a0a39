"""DSRNet-nano-D with the schedule and the teacher of dsrnet-d_quick.py."""

_base_ = './dsrnet-d_quick.py'

experiment_name = 'dsrnet_nano_d_quick'

model = dict(
    generator=dict(
        # ../dsrnet/student_nano.py says why.
        channels=(8, 16, 40),
        encoder_blocks=(1, 1, 1),
        decoder_blocks=(1, 1, 1, 7, 2, 2),
    )
)
