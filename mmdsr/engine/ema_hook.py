"""Averaged weights that a distributed training resumes, too."""

from typing import Any

from mmengine.hooks import EMAHook as _EMAHook
from mmengine.runner import Runner
from mmengine.runner.checkpoint import load_state_dict

from mmdsr.registry import HOOKS


@HOOKS.register_module()
class EMAHook(_EMAHook):
    """mmengine's ``EMAHook`` that resumes in a distributed training.

    Checkpoints have the same keys with and without DDP, see
    :class:`mmdsr.models.editors.common.PlainKeysMixin`. mmengine's hook finds
    none of them in a copy whose networks DDP wraps, and continues with the
    averages of random weights.

    Args:
        **kwargs: See :class:`mmengine.hooks.EMAHook`.
    """

    def after_load_checkpoint(
        self, runner: Runner, checkpoint: dict[str, Any]
    ) -> None:
        """Take the averages from a checkpoint.

        Args:
            runner: The runner.
            checkpoint: Content of the file, changed in place: the weights and
                their averages change places.

        Raises:
            RuntimeError: If they do not fit.
        """
        if 'ema_state_dict' in checkpoint and runner._resume:
            self._swap_ema_state_dict(checkpoint)
            averages = checkpoint['ema_state_dict']
            # Unlike torch's, mmengine's function looks inside DDP.
            load_state_dict(self.ema_model, averages, strict=True)
        else:
            super().after_load_checkpoint(runner, checkpoint)
