"""DSRNet-nano-D: student_nano.py, distilled from DSRNet+.

Not in the paper. Losses and teacher as in dsrnet-d.py.
"""

_base_ = './dsrnet-d.py'

experiment_name = 'dsrnet_nano_d'

model = dict(
    generator=dict(
        # ../dsrnet/student_nano.py says why.
        channels=(8, 16, 40),
        encoder_blocks=(1, 1, 1),
        decoder_blocks=(1, 1, 1, 7, 2, 2),
        depth_net=dict(base_channels=8),
    )
)
