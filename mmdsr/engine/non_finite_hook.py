"""A hook that stops a diverged training before weights are lost."""

from collections.abc import Callable
from functools import partial
from typing import Any

from mmengine.hooks import CheckpointHook, Hook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import Tensor

from mmdsr.engine.work_dir import latest_checkpoint
from mmdsr.errors import DivergedError
from mmdsr.io.finite import describe, non_finite
from mmdsr.registry import HOOKS


@HOOKS.register_module()
class StopOnNonFiniteHook(Hook):
    """Stop at the first loss that is NaN or infinite.

    The loss is checked before the backward pass, so that the weights are not
    changed. Infinite gradients are allowed, because mixed precision uses them
    to adjust its scale. Before a checkpoint is written, the weights and the
    state of the optimizer are checked, too: a finite loss can have a gradient
    that is not finite, and the new checkpoint would replace a good one.
    """

    # After the training step, before CheckpointHook removes the oldest file.
    priority = 'LOW'

    def before_train(self, runner: Runner) -> None:
        """Start checking every loss.

        Args:
            runner: The runner.
        """
        for wrapper in _wrappers(runner):
            wrapper.update_params = partial(
                self._update, runner, wrapper.update_params
            )

    def after_train(self, runner: Runner) -> None:
        """Stop checking.

        Args:
            runner: The runner.
        """
        for wrapper in _wrappers(runner):
            del wrapper.update_params

    def _update(
        self,
        runner: Runner,
        update_params: Callable[..., None],
        loss: Tensor,
        *args: object,
        **kwargs: object,
    ) -> None:
        if not loss.isfinite().all():
            raise DivergedError(
                f'The loss is {loss.item()} at {_place(runner)}: stopped '
                f'before the weights were updated. {_advice(runner)}'
            )
        return update_params(loss, *args, **kwargs)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict[str, Any] | None = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Check the weights if a checkpoint is due.

        Args:
            runner: The runner.
            batch_idx: Not used.
            data_batch: Not used.
            outputs: Not used.

        Raises:
            DivergedError: If they are not finite.
        """
        for hook in _checkpoint_hooks(runner, by_epoch=False):
            if self.every_n_train_iters(
                runner, hook.interval, hook.save_begin
            ) or (hook.save_last and self.is_last_train_iter(runner)):
                _check(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Check the weights if a checkpoint is due.

        Args:
            runner: The runner.

        Raises:
            DivergedError: If they are not finite.
        """
        for hook in _checkpoint_hooks(runner, by_epoch=True):
            if self.every_n_epochs(runner, hook.interval, hook.save_begin) or (
                hook.save_last and self.is_last_train_epoch(runner)
            ):
                _check(runner)


def _wrappers(runner: Runner) -> list[OptimWrapper]:
    """List the optimizer wrappers of a runner."""
    wrapper = runner.optim_wrapper
    if isinstance(wrapper, OptimWrapperDict):
        return list(wrapper.values())
    return [wrapper]


def _checkpoint_hooks(runner: Runner, by_epoch: bool) -> list[CheckpointHook]:
    return [
        hook
        for hook in runner.hooks
        if isinstance(hook, CheckpointHook) and hook.by_epoch == by_epoch
    ]


def _check(runner: Runner) -> None:
    """Raise an error if weights or optimizers are not finite."""
    broken = non_finite(
        dict(
            state_dict=runner.model.state_dict(),
            optimizer=runner.optim_wrapper.state_dict(),
        )
    )
    if broken:
        raise DivergedError(
            f'Weights are not finite at {_place(runner)}: {describe(broken)}. '
            f'They were not saved to a checkpoint. {_advice(runner)}'
        )


def _place(runner: Runner) -> str:
    """Describe where the training is, with its learning rates."""
    rates = {
        # With several optimizers, e.g. "discriminator.lr".
        name.removesuffix('lr').rstrip('.'): values[0]
        for name, values in runner.optim_wrapper.get_lr().items()
        if name.endswith('lr') and not name.endswith('base_lr')
    }
    text = ', '.join(
        f'{rate:.3g} ({name})' if name else f'{rate:.3g}'
        for name, rate in rates.items()
    )
    # The counter advances after the hooks.
    return f'iteration {runner.iter + 1}, learning rate {text}'


def _advice(runner: Runner) -> str:
    last = latest_checkpoint(runner.work_dir)
    kept = (
        f'The last good checkpoint is {last}; --resume continues from it.'
        if last
        else 'There is no checkpoint yet.'
    )
    return (
        f'{kept} Try a lower learning rate (optim_wrapper.optimizer.lr), a '
        'longer warm-up, optim_wrapper.clip_grad.max_norm=1, or training '
        'without --amp.'
    )
