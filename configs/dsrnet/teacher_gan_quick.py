"""DSRNet with all losses of Eq. 15, at the size of teacher_quick.py."""

_base_ = './teacher_quick.py'

experiment_name = 'dsrnet_teacher_gan_quick'

model = dict(
    type='mmdsr.DSRGAN',
    discriminator=dict(
        type='mmdsr.VGGStyleDiscriminator', in_channels=3, base_channels=16
    ),
    # Random VGG19, so that nothing is downloaded, and only up to conv3_1,
    # which saves more than two thirds of its operations. For results like the
    # paper's, set weights='torchvision' (or a file), untrained=False and
    # layer_weights={'34': 1.0, '10': 0.0}.
    perceptual_loss=dict(
        type='mmdsr.PerceptualLoss',
        weights=None,
        untrained=True,
        layer_weights={'10': 1.0},
        criterion='mse',
        loss_weight=1e-3,
    ),
    gan_loss=dict(type='mmdsr.RelativisticGANLoss', loss_weight=5e-3),
    train_cfg=dict(pixel_init=500),
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
