"""What a training starts from has to fit its model."""

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper

from mmdsr.errors import CheckpointError
from mmdsr.io.checkpoint import compare, refuse, unwrap

#: What a training goes on with besides weights, and its kind.
_STATE = {'meta': dict, 'message_hub': dict, 'optimizer': dict}


class CheckStartHook(Hook):
    """Refuses weights that do not fit, before they are loaded.

    mmengine only warns, and trains on from random weights. To go on with a
    training, all weights have to fit. To start from weights (``load_from``),
    the generator's have to, of a model that has one; of a host's model, half
    of them, as a head for other classes is usual.

    Args:
        source (str or Path): The file, for messages.
        resume (bool): Whether the training goes on.
    """

    # Before EMAHook, which takes the averaged weights from the content.
    priority = 'VERY_HIGH'

    def __init__(self, source, resume):
        self.source = source
        self.resume = resume

    def after_load_checkpoint(self, runner, checkpoint):
        """Check the content and bring it to mmengine's form, in place.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): The content.

        Raises:
            CheckpointError: If it does not fit.
        """
        if self.resume:
            self._check_state(checkpoint)
            # mmengine would run it, to compare a number that nobody writes.
            checkpoint['meta'].pop('config', None)
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        own = model.state_dict()
        state = unwrap(checkpoint, self.source)
        prefix = 'generator.'
        generator = [key for key in own if key.startswith(prefix)]
        if generator and not any(key.startswith(prefix) for key in state):
            # Weights of the network alone.
            state = {f'{prefix}{key}': value for key, value in state.items()}
        self._check_weights(own, state, generator)
        checkpoint['state_dict'] = state

    def _check_state(self, content):
        """Refuse what is no checkpoint of a training."""
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
                f'{self.source} is no checkpoint of a training, which '
                f'--resume needs: it lacks {", ".join(wrong)}. To start from '
                'its weights use --cfg-options load_from=FILE.'
            )

    def _check_weights(self, own, state, generator):
        missing, unexpected, shapes = compare(own, state)
        if self.resume:
            refuse(own, missing, unexpected, shapes, self.source, 'model')
            return
        if generator:
            part = dict.fromkeys(generator)
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
                f'fit; {len(missing)} are missing, {len(shapes)} of another '
                f'shape, {len(unexpected)} unexpected.',
                'current',
            )
