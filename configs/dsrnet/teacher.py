"""DSRNet (DSRNet-T with all losses, Eq. 15).

The VGG19 weights of the perceptual loss are downloaded at the first start;
set model.perceptual_loss.weights to a local file to avoid that.
"""

_base_ = './teacher_plus.py'

experiment_name = 'dsrnet_teacher'

model = dict(
    type='mmdsr.DSRGAN',
    # Not described in the paper; the VGG style of MASA-SR.
    discriminator=dict(
        type='mmdsr.VGGStyleDiscriminator', in_channels=3, base_channels=64
    ),
    # Eq. 11: VGG19 and L2. Layer and weight as in the authors' code.
    perceptual_loss=dict(
        type='mmdsr.PerceptualLoss',
        weights='torchvision',
        layer_weights={'34': 1.0},
        criterion='mse',
        loss_weight=1e-3,
    ),
    # Eq. 12-14, lambda_adv as in the authors' code, which halves both terms.
    gan_loss=dict(type='mmdsr.RelativisticGANLoss', loss_weight=5e-3),
    # Not in the paper. L_rec and L_dep alone for the first 5 epochs (of 6000
    # samples), so that the critic never sees noise.
    train_cfg=dict(pixel_init=30000),
)

optim_wrapper = dict(
    _delete_=True,
    constructor='MultiOptimWrapperConstructor',
    generator=dict(
        type='OptimWrapper',
        optimizer=dict(type='Adam', lr=2e-4, betas=(0.9, 0.999)),
    ),
    # Not in the paper; the values of MASA-SR.
    discriminator=dict(
        type='OptimWrapper',
        optimizer=dict(type='Adam', lr=1e-4, betas=(0.0, 0.9)),
    ),
)
