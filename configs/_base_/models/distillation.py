"""How DSRNet-D learns from its teacher (section 4 of the paper)."""

distillation = dict(
    type='mmdsr.DSRDistiller',
    # Eq. 23, lambda_kd = 0.5 (section 5.1).
    kd_loss=dict(type='L1Loss', loss_weight=0.5, reduction='mean'),
    # Eq. 16-21, lambda_ad = 0.1 (section 5.1).
    adm=dict(
        type='mmdsr.ADM',
        # Not in the paper; the authors' code.
        channels=64,
        # The index as printed in Eq. 18; 'teacher' is that of AFD.
        bilinear='student',
        # The plain L2 norm of Eq. 19 and 20; 'mse' is AFD's, which needs a
        # weight of 200.
        reduction='norm',
        loss_weight=0.1,
    ),
    # Not in the paper; the authors' code. 'block' is the other choice.
    feature_level='scale',
)
