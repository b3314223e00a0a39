"""A hook that ends a training that has diverged, before harm is done."""

from functools import partial

from mmengine.hooks import CheckpointHook, Hook
from mmengine.optim import OptimWrapperDict

from mmdsr.engine.work_dir import latest_checkpoint
from mmdsr.errors import DivergedError
from mmdsr.io.finite import describe, non_finite
from mmdsr.registry import HOOKS


@HOOKS.register_module()
class StopOnNonFiniteHook(Hook):
    """Stop at the first loss that is NaN or infinite.

    It is looked at before the backward pass, so that the weights stay as
    they were. Gradients may be infinite, as mixed precision tries out its
    scale. Before a checkpoint is written, the weights and the optimiser's
    state are looked at too: a finite loss can have a gradient that is not,
    and the new checkpoint would push out a good one.
    """

    # After the training step, before CheckpointHook removes the oldest file.
    priority = 'LOW'

    def before_train(self, runner):
        """Have every loss checked.

        Args:
            runner (Runner): The runner.
        """
        for wrapper in _wrappers(runner):
            wrapper.update_params = partial(
                self._update, runner, wrapper.update_params
            )

    def after_train(self, runner):
        """Undo it.

        Args:
            runner (Runner): The runner.
        """
        for wrapper in _wrappers(runner):
            del wrapper.update_params

    def _update(self, runner, update_params, loss, *args, **kwargs):
        if not loss.isfinite().all():
            raise DivergedError(
                f'The loss is {loss.item()} at {_place(runner)}: stopped '
                f'before the weights took it in. {_advice(runner)}'
            )
        return update_params(loss, *args, **kwargs)

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ):
        """Check the weights if a checkpoint is due.

        Args:
            runner (Runner): The runner.
            batch_idx (int): Not used.
            data_batch (dict): Not used.
            outputs (dict): Not used.

        Raises:
            DivergedError: If they are not finite.
        """
        for hook in _checkpoint_hooks(runner, by_epoch=False):
            if self.every_n_train_iters(
                runner, hook.interval, hook.save_begin
            ) or (hook.save_last and self.is_last_train_iter(runner)):
                _check(runner)

    def after_train_epoch(self, runner):
        """Check the weights if a checkpoint is due.

        Args:
            runner (Runner): The runner.

        Raises:
            DivergedError: If they are not finite.
        """
        for hook in _checkpoint_hooks(runner, by_epoch=True):
            if self.every_n_epochs(runner, hook.interval, hook.save_begin) or (
                hook.save_last and self.is_last_train_epoch(runner)
            ):
                _check(runner)


def _wrappers(runner):
    """List the optimiser wrappers of a runner."""
    wrapper = runner.optim_wrapper
    if isinstance(wrapper, OptimWrapperDict):
        return list(wrapper.values())
    return [wrapper]


def _checkpoint_hooks(runner, by_epoch):
    return [
        hook
        for hook in runner.hooks
        if isinstance(hook, CheckpointHook) and hook.by_epoch == by_epoch
    ]


def _check(runner):
    """Raise if weights or optimisers hold what is not finite."""
    broken = non_finite(
        dict(
            state_dict=runner.model.state_dict(),
            optimizer=runner.optim_wrapper.state_dict(),
        )
    )
    if broken:
        raise DivergedError(
            f'Weights are not finite at {_place(runner)}: '
            f'{describe(broken)}. No checkpoint of them was written. '
            f'{_advice(runner)}'
        )


def _place(runner):
    """Say where the training is, with its learning rates."""
    rates = {
        # With several optimisers, "discriminator.lr".
        name.removesuffix('lr').rstrip('.'): values[0]
        for name, values in runner.optim_wrapper.get_lr().items()
        if name.endswith('lr') and not name.endswith('base_lr')
    }
    text = ', '.join(
        f'{rate:.3g} ({name})' if name else f'{rate:.3g}'
        for name, rate in rates.items()
    )
    # The counter moves on after the hooks.
    return f'iteration {runner.iter + 1}, learning rate {text}'


def _advice(runner):
    last = latest_checkpoint(runner.work_dir)
    kept = (
        f'The last good checkpoint is {last}; --resume continues from it.'
        if last
        else 'There is no checkpoint yet.'
    )
    return (
        f'{kept} Try a lower learning rate (optim_wrapper.optimizer.lr), a '
        'longer warm-up, optim_wrapper.clip_grad.max_norm=1, or no --amp.'
    )
