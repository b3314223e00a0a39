"""Table 10, row 2, at the size of teacher_quick.py: true depth as input."""

_base_ = '../../teacher_quick.py'

experiment_name = 'table10_quick_depth_input'

model = dict(
    generator=dict(depth_net=None),
    depth_loss=None,
    test_cfg=dict(depth='given'),
)
