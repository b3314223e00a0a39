"""MASA-SR at the size of teacher_quick.py."""

_base_ = '../dsrnet/teacher_quick.py'

experiment_name = 'masa_sr_quick'

model = dict(
    type='mmdsr.DSRGAN',
    discriminator=dict(
        type='mmdsr.VGGStyleDiscriminator', in_channels=3, base_channels=16
    ),
    # Random VGG19, so that nothing is downloaded: for the figures of the
    # paper set weights='torchvision' (or a file) and untrained=False.
    perceptual_loss=dict(
        type='mmdsr.PerceptualLoss',
        weights=None,
        untrained=True,
        layer_weights={'34': 1.0},
        criterion='l1',
        loss_weight=1.0,
    ),
    gan_loss=dict(type='mmdsr.RelativisticGANLoss', loss_weight=2.5e-3),
    depth_loss=None,
    train_cfg=dict(pixel_init=500),
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
)

optim_wrapper = dict(
    _delete_=True,
    constructor='MultiOptimWrapperConstructor',
    generator=dict(
        type='OptimWrapper',
        optimizer=dict(type='Adam', lr=1.5e-3, betas=(0.9, 0.999)),
    ),
    discriminator=dict(
        type='OptimWrapper',
        optimizer=dict(type='Adam', lr=1e-4, betas=(0.0, 0.9)),
    ),
)
