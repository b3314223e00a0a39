"""MASA-SR: MASA-rec with its perceptual and adversarial loss (Table 2).

Loss weights and the optimizer of the critic are those of MASA-SR. The VGG19
weights are downloaded at the first start, see ../dsrnet/teacher.py.
"""

_base_ = './masa_rec.py'

experiment_name = 'masa_sr'

model = dict(
    type='mmdsr.DSRGAN',
    discriminator=dict(
        type='mmdsr.VGGStyleDiscriminator', in_channels=3, base_channels=64
    ),
    perceptual_loss=dict(
        type='mmdsr.PerceptualLoss',
        weights='torchvision',
        layer_weights={'34': 1.0},
        criterion='l1',
        loss_weight=1.0,
    ),
    # 5e-3 in MASA-SR, which halves both terms of Eq. 12.
    gan_loss=dict(type='mmdsr.RelativisticGANLoss', loss_weight=2.5e-3),
    # MASA-SR trains L_rec alone first; here for the first 5 epochs of 6000
    # samples, as in teacher.py.
    train_cfg=dict(pixel_init=30000),
)

optim_wrapper = dict(
    _delete_=True,
    constructor='MultiOptimWrapperConstructor',
    generator=dict(
        type='OptimWrapper',
        optimizer=dict(type='Adam', lr=2e-4, betas=(0.9, 0.999)),
    ),
    discriminator=dict(
        type='OptimWrapper',
        optimizer=dict(type='Adam', lr=1e-4, betas=(0.0, 0.9)),
    ),
)
