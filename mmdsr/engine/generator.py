"""Build the generator of a config."""

from mmengine.config import Config
from torch import nn

from mmdsr.errors import MissingExtraError, UsageError
from mmdsr.registry import MODELS


def build_generator(cfg: Config, whose: object = None) -> nn.Module:
    """Build the network of a config's ``model.generator``.

    Args:
        cfg: Config of a trainable model.
        whose: Name for messages. Defaults to None, for the config's file.

    Returns:
        The network, with the weights that it starts its training with.

    Raises:
        UsageError: If the config has no generator, or one that cannot be
            built, e.g. for a misspelled argument.
    """
    name = repr(whose) if whose else f'the config {cfg.filename}'
    model = cfg.get('model') or {}
    if not model.get('generator'):
        raise UsageError(
            f'There is no network for super-resolution, model.generator, in '
            f'{name}.'
        )
    try:
        return MODELS.build(model['generator'])
    except (KeyError, TypeError, ValueError, MissingExtraError) as error:
        raise UsageError(
            f'The network of {name} cannot be built: {error}'
        ) from error
