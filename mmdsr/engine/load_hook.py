"""Check that the initial weights of a training fit its model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor

from mmdsr.errors import CheckpointError
from mmdsr.io.checkpoint import compare, refuse, unwrap

#: Entries besides the weights that resuming needs, and their types.
_STATE = {'meta': dict, 'message_hub': dict, 'optimizer': dict}
#: What changes in a schedule while a training runs.
_MOVING = {'last_step', '_global_step', '_last_value', 'verbose'}


class CheckStartHook(Hook):
    """Raise an error for weights that do not fit before they are loaded.

    mmengine only warns, and continues with random weights. To resume a
    training, all weights have to fit, and so have the schedules, of which
    mmengine continues those of the checkpoint silently. To start from weights
    (``load_from``), those of the generator have to fit if the model has one.
    For a model of a host, half of the weights have to fit, as heads for other
    classes are common.

    Args:
        source: The file, for messages.
        resume: Whether the training is resumed.
    """

    # Before EMAHook, which takes the averaged weights from the checkpoint.
    priority = 'VERY_HIGH'

    def __init__(self, source: Path | str, resume: bool) -> None:
        self.source = source
        self.resume = resume

    def after_load_checkpoint(
        self, runner: Runner, checkpoint: dict[str, Any]
    ) -> None:
        """Check a checkpoint and convert it to mmengine's form, in place.

        Args:
            runner: The runner.
            checkpoint: Content of the file.

        Raises:
            CheckpointError: If it does not fit.
        """
        if self.resume:
            self._check_state(checkpoint)
            self._check_schedules(
                runner.param_schedulers, checkpoint.get('param_schedulers')
            )
            # mmengine would execute it to compare a number that is never
            # written.
            checkpoint['meta'].pop('config', None)
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        own = model.state_dict()
        state = unwrap(checkpoint, self.source)
        prefix = 'generator.'
        generator = [key for key in own if key.startswith(prefix)]
        if generator and not any(key.startswith(prefix) for key in state):
            # Weights of only the network.
            state = {f'{prefix}{key}': value for key, value in state.items()}
        self._check_weights(own, state, generator)
        checkpoint['state_dict'] = state

    def _check_state(self, content: Mapping[str, Any]) -> None:
        """Raise an error unless this is the checkpoint of a training."""
        wrong = [
            key
            for key, kind in _STATE.items()
            if not isinstance(content.get(key), kind)
        ]
        meta = {} if 'meta' in wrong else content['meta']
        wrong += [
            f'meta.{key}'
            for key in ('iter', 'epoch')
            if not isinstance(meta.get(key), int)
        ]
        if wrong:
            raise CheckpointError(
                f'{self.source} is not a training checkpoint, which '
                f'--resume needs: it lacks {", ".join(wrong)}. To start from '
                'its weights, use --cfg-options load_from=FILE.'
            )

    def _check_schedules(self, own: object, stored: object) -> None:
        """Raise an error if the config has another schedule."""
        ours, theirs = _flat(own), _flat(stored)
        changes = [f'it has {len(theirs)} schedules, the config {len(ours)}']
        if not all(isinstance(old, Mapping) for old in theirs):
            changes = ['its schedules are damaged']
        elif len(ours) == len(theirs):
            changes = [
                f'{type(schedule).__name__}: {key} was {old.get(key)}, is '
                f'{new.get(key)}'
                for schedule, old in zip(ours, theirs, strict=True)
                for new in [schedule.state_dict()]
                for key in sorted(new.keys() - _MOVING)
                # As texts, as the file may contain anything.
                if not callable(new[key])
                and repr(new[key]) != repr(old.get(key))
            ]
        if changes:
            raise CheckpointError(
                f'{self.source} was trained with another schedule '
                f'({"; ".join(changes[:4])}), which a resumed training '
                'continues. Keep the schedule, batch size and number of '
                'processes, or start a new training from its weights with '
                '--cfg-options load_from=FILE.'
            )

    def _check_weights(
        self,
        own: Mapping[str, Tensor],
        state: Mapping[str, Tensor],
        generator: Sequence[str],
    ) -> None:
        missing, unexpected, shapes = compare(own, state)
        if self.resume:
            refuse(own, missing, unexpected, shapes, self.source, 'model')
            return
        if generator:
            part = {key: own[key] for key in generator}
            inside = {
                key for key in unexpected if key.startswith('generator.')
            }
            refuse(
                part,
                missing & part.keys(),
                inside,
                shapes & part.keys(),
                self.source,
                'generator',
            )
        fitting = len(own) - len(missing) - len(shapes)
        if 2 * fitting < len(own):
            refuse(own, missing, unexpected, shapes, self.source, 'model')
        if fitting < len(own) or unexpected:
            print_log(
                f'{self.source}: {fitting} of {len(own)} keys of the model '
                f'fit; {len(missing)} are missing, {len(shapes)} have another '
                f'shape, and {len(unexpected)} are unexpected.',
                'current',
            )


def _flat(schedules: object) -> list[Any]:
    """List the schedules of one optimizer or, by name, of several."""
    if isinstance(schedules, Mapping):
        names = sorted(schedules, key=str)
        return [one for name in names for one in _flat(schedules[name])]
    return list(schedules) if isinstance(schedules, Sequence) else []
