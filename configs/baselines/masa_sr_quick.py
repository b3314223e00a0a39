"""MASA-SR at the size of teacher_quick.py."""

_base_ = '../dsrnet/teacher_gan_quick.py'

experiment_name = 'masa_sr_quick'

model = dict(
    generator=dict(
        _delete_=True,
        type='mmdsr.MASASRNet',
        channels=16,
        encoder_blocks=(1, 1, 1),
        decoder_blocks=(1, 1, 1, 6, 2, 1),
        block_size=8,
        dilations=(1, 2, 3),
        crop_ratio=1.5,
    ),
    # MASA-SR's losses, as in masa_sr.py.
    perceptual_loss=dict(criterion='l1', loss_weight=1.0),
    gan_loss=dict(loss_weight=2.5e-3),
    depth_loss=None,
)
