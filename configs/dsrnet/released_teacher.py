"""DSRNet-T as in the authors' code: one fusion convolution, depth as input.

For weights made by tools/model_converters/convert_released.py. The authors'
depth maps are divided by 255 like an image, regardless of their unit; scale
yours to the same range.
"""

_base_ = './teacher_plus.py'

experiment_name = 'dsrnet_released_teacher'

model = dict(
    generator=dict(variant='released', depth_net=None),
    # There is no depth network to train.
    depth_loss=None,
    test_cfg=dict(depth='given'),
)
