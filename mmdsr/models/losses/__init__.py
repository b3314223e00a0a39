"""Losses of Eq. 9 and 11-13 (Eq. 10 and 22 are mmagic's ``L1Loss``)."""

from mmdsr.models.losses.depth_loss import DepthLoss, masked_l1
from mmdsr.models.losses.perceptual_loss import PerceptualLoss
from mmdsr.models.losses.relativistic_gan_loss import (
    RelativisticGANLoss,
    relativistic_d_loss,
    relativistic_g_loss,
)

__all__ = [
    'DepthLoss',
    'PerceptualLoss',
    'RelativisticGANLoss',
    'masked_l1',
    'relativistic_d_loss',
    'relativistic_g_loss',
]
