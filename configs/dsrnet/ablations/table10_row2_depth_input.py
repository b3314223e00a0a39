"""Table 10, row 2: L_rec, with the true depth maps as input."""

_base_ = '../teacher_plus.py'

experiment_name = 'table10_row2_depth_input'

model = dict(
    generator=dict(depth_net=None),
    depth_loss=None,
    test_cfg=dict(depth='given'),
)
