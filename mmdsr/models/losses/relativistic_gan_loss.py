"""Relativistic average GAN loss, Eq. 12 and 13 of the paper.

``D(a, b) = sigmoid(C(a) - E[C(b)])`` with the raw critic ``C``. The logarithms
of sigmoids are evaluated as binary cross entropies of the logits, which
neither under- nor overflow.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmdsr.registry import MODELS


def _bce(logits: Tensor, target: float) -> Tensor:
    # fp32: the cross entropy of fp16 logits loses small losses under AMP.
    logits = logits.float()
    return F.binary_cross_entropy_with_logits(
        logits, torch.full_like(logits, target)
    )


def relativistic_g_loss(pred_real: Tensor, pred_fake: Tensor) -> Tensor:
    """Return the generator loss, Eq. 12.

    ``L_G = -E[log(1 - D(real, fake))] - E[log D(fake, real)]``. Gradients
    reach only ``pred_fake``: the generator cannot change the real branch.

    Args:
        pred_real: Critic output of real images, (N, 1).
        pred_fake: Critic output of generated images, (N, 1).

    Returns:
        Scalar.
    """
    pred_real = pred_real.detach()
    return _bce(pred_real - pred_fake.mean(), 0.0) + _bce(
        pred_fake - pred_real.mean(), 1.0
    )


def relativistic_d_loss(pred_real: Tensor, pred_fake: Tensor) -> Tensor:
    """Return the discriminator loss, Eq. 13.

    ``L_D = -E[log D(real, fake)] - E[log(1 - D(fake, real))]``. In each term
    the mean of the other class is a constant, as in ESRGAN and MASA-SR.

    Args:
        pred_real: Critic output of real images, (N, 1).
        pred_fake: Critic output of generated images, (N, 1).

    Returns:
        Scalar.
    """
    return _bce(pred_real - pred_fake.mean().detach(), 1.0) + _bce(
        pred_fake - pred_real.mean().detach(), 0.0
    )


@MODELS.register_module()
class RelativisticGANLoss(nn.Module):
    """Relativistic average GAN loss of Eq. 12-14.

    Eq. 14 adds both halves, but each updates its own network; the editor
    alternates. The sum is twice that of ESRGAN, MASA-SR and the authors' code,
    which halve each term: use half the weight to match them.

    Args:
        loss_weight: ``lambda_adv`` of Eq. 15 (``lambda_G`` of Eq. 14 is 1). It
            scales only the generator loss, as in mmagic. Defaults to the value
            of the authors' code.
    """

    def __init__(self, loss_weight: float = 5e-3) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(
        self, pred_real: Tensor, pred_fake: Tensor, is_disc: bool = False
    ) -> Tensor:
        """Compute one half of the loss.

        Args:
            pred_real: Critic output of real images, (N, 1) logits.
            pred_fake: Critic output of generated images, (N, 1).
            is_disc: Whether to return Eq. 13 (unweighted) instead of the
                weighted Eq. 12.

        Returns:
            Scalar.
        """
        if is_disc:
            return relativistic_d_loss(pred_real, pred_fake)
        return self.loss_weight * relativistic_g_loss(pred_real, pred_fake)
