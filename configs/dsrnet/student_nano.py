"""DSRNet-nano: below the paper's student, for small devices.

6.48 G MACs at LR 112x80 with Ref 448x320, depth network and matching
included; DSRNet-S needs 127 G. Same structure as student.py; only widths and
numbers of blocks differ, which the paper does not go into.
"""

_base_ = './teacher_plus.py'

experiment_name = 'dsrnet_student_nano'

model = dict(
    generator=dict(
        # A 3x3 convolution costs 16 times more on Ref than on LR, so the
        # width grows as the resolution falls, and most of the blocks of the
        # decoder work at the size of LR.
        channels=(8, 16, 40),
        encoder_blocks=(1, 1, 1),
        decoder_blocks=(1, 1, 1, 7, 2, 2),
        # The smallest width that eight groups of normalisation allow.
        depth_net=dict(base_channels=8),
    )
)
