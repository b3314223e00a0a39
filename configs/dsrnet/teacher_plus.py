"""DSRNet+ (DSRNet-T with L_rec and L_dep): the best row of Table 2."""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/dsrnet_t.py',
    '../_base_/datasets/refsr.py',
    '../_base_/schedules/paper_250e.py',
]

experiment_name = 'dsrnet_teacher_plus'

model = dict(
    type='mmdsr.DSR',
    generator=_base_.dsrnet_t,
    # Eq. 10, lambda_rec = 1.
    pixel_loss=dict(type='L1Loss', loss_weight=1.0, reduction='mean'),
    # Eq. 9. lambda_dep is not in the paper; the value of the authors' code.
    depth_loss=dict(type='mmdsr.DepthLoss', loss_weight=0.01),
    # 'given' and 'zero' are the other choices.
    test_cfg=dict(depth='predicted'),
    # RGB in [0, 1].
    data_preprocessor=dict(
        type='DataPreprocessor', mean=[0.0, 0.0, 0.0], std=[255.0] * 3
    ),
)
