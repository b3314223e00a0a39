"""DSRNet as a trainable model: all terms of Eq. 15."""

from typing import Any

import torch
from mmagic.models.editors.srgan import SRGAN
from mmagic.models.utils import set_requires_grad
from mmagic.structures import DataSample
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor

from mmdsr.models.editors.common import DATA_PREPROCESSOR, RefSRMixin
from mmdsr.models.networks import DSROutput
from mmdsr.registry import MODELS


@MODELS.register_module()
class DSRGAN(RefSRMixin, SRGAN):
    """Depth-aware super-resolution with perceptual and adversarial loss.

    ``L = lambda_rec L_rec + lambda_dep L_dep + lambda_per L_per + lambda_adv
    L_adv`` (Eq. 15). In each step the discriminator is updated by Eq. 13,
    then the generator by Eq. 12 against the new discriminator, as in MASA-SR
    and the authors' code. ``optim_wrapper`` needs the keys ``generator`` and
    ``discriminator``; AMP and gradient accumulation work.

    Args:
        generator: ``mmdsr.DSRNet`` or ``mmdsr.MASASRNet``.
        discriminator: Critic, e.g. ``mmdsr.VGGStyleDiscriminator``.
        gan_loss: ``mmdsr.RelativisticGANLoss``.
        pixel_loss: ``L_rec``.
        perceptual_loss: ``mmdsr.PerceptualLoss``.
        depth_loss: ``mmdsr.DepthLoss``.
        train_cfg: ``pixel_init``: number of initial steps with ``L_rec`` and
            ``L_dep`` only; ``disc_init_steps``: number of steps after these
            that update only the discriminator; ``disc_steps``: number of steps
            per generator update; ``disc_repeat``: discriminator updates per
            step. Defaults to 0, 0, 1, 1. The number of steps is stored in the
            checkpoint, so that a resumed run does not repeat a warm-up.
        test_cfg: See :class:`mmdsr.DSR`.
        init_cfg: Initialization.
        data_preprocessor: Defaults to mmagic's with RGB in [0, 1].

    Raises:
        ValueError: If an option is unknown or does not fit the generator.
    """

    def __init__(
        self,
        generator: dict[str, Any],
        discriminator: dict[str, Any],
        gan_loss: dict[str, Any],
        pixel_loss: dict[str, Any],
        perceptual_loss: dict[str, Any] | None = None,
        depth_loss: dict[str, Any] | None = None,
        train_cfg: dict[str, Any] | None = None,
        test_cfg: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            generator=generator,
            discriminator=discriminator,
            gan_loss=gan_loss,
            pixel_loss=pixel_loss,
            perceptual_loss=perceptual_loss,
            train_cfg=train_cfg,
            test_cfg=test_cfg,
            init_cfg=init_cfg,
            data_preprocessor=data_preprocessor or DATA_PREPROCESSOR,
        )
        known = {'pixel_init', 'disc_init_steps', 'disc_steps', 'disc_repeat'}
        unknown = set(train_cfg or {}) - known
        if unknown:
            raise ValueError(
                f'train_cfg must have only the keys {sorted(known)}, not '
                f'{sorted(unknown)}.'
            )
        self.pixel_init = (train_cfg or {}).get('pixel_init', 0)
        self.depth_loss = MODELS.build(depth_loss) if depth_loss else None
        # The counter of SRGAN is not stored and restarts on resume.
        self.register_buffer('step_counter', torch.tensor(0), persistent=True)
        self._setup_refsr(depth_loss)

    def if_run_d(self) -> bool:
        """Return whether this step updates the discriminator."""
        return int(self.step_counter) >= self.pixel_init

    def if_run_g(self) -> bool:
        """Return whether this step updates the generator."""
        step = int(self.step_counter) - self.pixel_init
        return step < 0 or (
            step >= self.disc_init_steps and step % self.disc_steps == 0
        )

    def g_losses(
        self,
        output: DSROutput,
        data_samples: DataSample,
        adversarial: bool = True,
    ) -> dict[str, Tensor]:
        """Return the loss terms of the generator, Eq. 15.

        Args:
            output: Output of :meth:`run_generator`.
            data_samples: Stacked samples with ``gt_img``.
            adversarial: Whether to include the perceptual and adversarial
                terms (not during ``pixel_init``).

        Returns:
            ``loss_rec``, ``loss_dep``, ``loss_per``, ``loss_adv``.
        """
        losses = self.base_losses(output, data_samples)
        if not adversarial:
            return losses
        hr = data_samples.gt_img
        if self.perceptual_loss is not None:
            losses['loss_per'] = self.perceptual_loss(output.sr, hr)
        with torch.no_grad():
            pred_real = self.discriminator(hr)
        losses['loss_adv'] = self.gan_loss(
            pred_real, self.discriminator(output.sr), is_disc=False
        )
        return losses

    def d_losses(
        self, sr: Tensor, hr: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the loss of the discriminator, Eq. 13.

        Both terms share one backward pass. This gives the same gradients as
        two passes, as the mean of the other class is detached in each term,
        and counts as one step of gradient accumulation.

        Args:
            sr: Generated images, (N, 3, 4H, 4W), without gradient.
            hr: Real images, same shape.

        Returns:
            ``loss_disc``, and the mean critic outputs ``disc_real`` and
            ``disc_fake``, to log.
        """
        real, fake = self.discriminator(hr), self.discriminator(sr)
        loss = self.gan_loss(real, fake, is_disc=True)
        return dict(loss_disc=loss), dict(
            disc_real=real.detach().mean(), disc_fake=fake.detach().mean()
        )

    def forward_train(
        self, inputs: dict[str, Any], data_samples: DataSample
    ) -> dict[str, Tensor]:
        """Return the generator losses of a batch, see :meth:`g_losses`."""
        return self.g_losses(
            self.run_generator(inputs, data_samples), data_samples
        )

    def train_step(
        self, data: dict[str, Any], optim_wrapper: OptimWrapperDict
    ) -> dict[str, Tensor]:
        """Update the discriminator, then the generator.

        Args:
            data: A batch of the data loader.
            optim_wrapper: Wrappers ``generator`` and ``discriminator``.

        Returns:
            Values to log.
        """
        data = self.data_preprocessor(data, True)
        inputs, data_samples = data['inputs'], data['data_samples']
        run_g, run_d = self.if_run_g(), self.if_run_d()
        log_vars: dict[str, Tensor] = {}

        g_optim = optim_wrapper['generator']
        with torch.set_grad_enabled(run_g), g_optim.optim_context(self):
            output = self.run_generator(inputs, data_samples)

        if run_d:
            log_vars.update(
                self._update_d(
                    output.sr.detach(),
                    data_samples.gt_img,
                    optim_wrapper['discriminator'],
                )
            )
        if run_g:
            set_requires_grad(self.discriminator, False)
            with g_optim.optim_context(self):
                losses = self.g_losses(output, data_samples, run_d)
            loss, logs = self.parse_losses(losses)
            g_optim.update_params(loss)
            set_requires_grad(self.discriminator, True)
            log_vars.update(logs)
        # The sum over one network's losses could be mistaken for the total.
        log_vars.pop('loss', None)
        self.step_counter += 1
        return log_vars

    def _update_d(
        self, sr: Tensor, hr: Tensor, d_optim: OptimWrapper
    ) -> dict[str, Tensor]:
        """Take ``disc_repeat`` steps of the discriminator."""
        for _ in range(self.disc_repeat):
            with d_optim.optim_context(self):
                losses, critic = self.d_losses(sr, hr)
            loss, logs = self.parse_losses(losses)
            d_optim.update_params(loss)
        logs.update(critic)
        return logs
