"""Losses of Eq. 9 and 11-13 (Eq. 10 and 22 are mmagic's ``L1Loss``)."""

from mmdsr.models.losses.depth_loss import DepthLoss, gradient_l1, masked_l1
from mmdsr.models.losses.flow_loss import (
    FlowLoss,
    end_point_error,
    reduce_flow,
    robust_flow_loss,
    support_loss,
)
from mmdsr.models.losses.match_loss import MatchLoss, match_loss
from mmdsr.models.losses.perceptual_loss import PerceptualLoss
from mmdsr.models.losses.relativistic_gan_loss import (
    RelativisticGANLoss,
    relativistic_d_loss,
    relativistic_g_loss,
)
from mmdsr.models.losses.self_flow_loss import (
    SelfFlowLoss,
    photometric_error,
    return_error,
    smoothness,
)

__all__ = [
    'DepthLoss',
    'FlowLoss',
    'MatchLoss',
    'PerceptualLoss',
    'RelativisticGANLoss',
    'SelfFlowLoss',
    'end_point_error',
    'gradient_l1',
    'masked_l1',
    'match_loss',
    'photometric_error',
    'reduce_flow',
    'relativistic_d_loss',
    'relativistic_g_loss',
    'return_error',
    'robust_flow_loss',
    'smoothness',
    'support_loss',
]
