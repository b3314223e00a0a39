"""Losses of Eq. 9 and 11-13 (Eq. 10 and 22 are mmagic's ``L1Loss``)."""

from mmdsr.models.losses.depth_loss import DepthLoss, masked_l1
from mmdsr.models.losses.flow_loss import (
    FlowLoss,
    end_point_error,
    reduce_flow,
    robust_flow_loss,
    support_loss,
)
from mmdsr.models.losses.perceptual_loss import PerceptualLoss
from mmdsr.models.losses.relativistic_gan_loss import (
    RelativisticGANLoss,
    relativistic_d_loss,
    relativistic_g_loss,
)

__all__ = [
    'DepthLoss',
    'FlowLoss',
    'PerceptualLoss',
    'RelativisticGANLoss',
    'end_point_error',
    'masked_l1',
    'reduce_flow',
    'relativistic_d_loss',
    'relativistic_g_loss',
    'robust_flow_loss',
    'support_loss',
]
