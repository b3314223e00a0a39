"""A warning for a GAN that is trained without its discriminator."""

import logging

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner


class AdversarialHook(Hook):
    """Warn if a training ends before its adversarial part begins.

    ``pixel_init`` counts steps, so with few samples or many processes, the
    training can be over by then.
    """

    def before_train(self, runner: Runner) -> None:
        """Compare the length of the training with ``pixel_init``.

        Args:
            runner: The runner.
        """
        options = runner.cfg.model.get('train_cfg') or {}
        begin = options.get('pixel_init', 0)
        if begin and begin >= runner.max_iters:
            print_log(
                f'The discriminator is used after step {begin}, but the '
                f'training ends at step {runner.max_iters}: it will be '
                'without. Set --cfg-options model.train_cfg.pixel_init=STEPS.',
                'current',
                logging.WARNING,
            )
