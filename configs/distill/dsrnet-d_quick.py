"""DSRNet-D at a size that trains in minutes on a CPU.

From the checkpoint of `make train` (configs/dsrnet/teacher_quick.py). Same
code and losses as dsrnet-d.py.
"""

_base_ = '../dsrnet/student_quick.py'

experiment_name = 'dsrnet_d_quick'

model = dict(
    type='mmdsr.DSRDistiller',
    # The generator of teacher_quick.py.
    teacher=dict(
        type='mmdsr.DSRNet',
        variant='paper',
        channels=16,
        encoder_blocks=(1, 1, 1),
        decoder_blocks=(1, 1, 1, 6, 2, 1),
        depth_net=dict(type='mmdsr.DepthUNet', base_channels=8),
        block_size=16,
        dilations=(1,),
        crop_ratio=1.5,
    ),
    teacher_checkpoint='work_dirs/teacher_quick',
    # Section 5.1, see dsrnet-d.py.
    kd_loss=dict(type='L1Loss', loss_weight=0.5, reduction='mean'),
    adm=dict(
        type='mmdsr.ADM',
        channels=64,
        bilinear='student',
        reduction='norm',
        loss_weight=0.1,
    ),
    feature_level='scale',
)
