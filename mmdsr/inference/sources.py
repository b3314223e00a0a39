"""Build the network that a user specifies, without a host package."""

import hashlib
import inspect
from pathlib import Path
from typing import Any, TypeAlias

from mmengine.config import Config
from torch import nn

from mmdsr.evidence.record import Kind
from mmdsr.io.checkpoint import find_checkpoint, load_generator
from mmdsr.models.networks.dsrnet_x import DSRNetX
from mmdsr.models.networks.refsr_net import RefSRNet
from mmdsr.models.networks.self_ensemble import SelfEnsemble
from mmdsr.models.networks.single_image import SingleImageNet
from mmdsr.registry import MODELS
from mmdsr.weights import weight_path
from mmdsr.weights.load import SUFFIXES
from mmdsr.weights.peers import load_weights


def check_choice(
    config: object, checkpoint: object, weights: object, interpolation: object
) -> None:
    """Check that exactly one source of the resolver is given.

    Args:
        config: See :class:`mmdsr.inference.SuperResolver`.
        checkpoint: Checkpoint of ``config``.
        weights: Name or file of published weights.
        interpolation: Name of an interpolation.

    Raises:
        ValueError: If none or several are given, or ``checkpoint`` alone.
    """
    if checkpoint is not None and config is None:
        raise ValueError(
            f'The checkpoint {checkpoint} needs the config of its training: '
            'also set config (--config), such as '
            'configs/dsrnet/student.py, or use published weights (weights, '
            '--weights) without a checkpoint.'
        )
    ways = dict(config=config, weights=weights, interpolation=interpolation)
    given = [name for name, value in ways.items() if value is not None]
    if len(given) != 1:
        raise ValueError(
            'Give exactly one of config (with checkpoint), weights and '
            f'interpolation, not {", ".join(given) or "none"}.'
        )


#: The networks that can be run.
Network: TypeAlias = RefSRNet | DSRNetX | SingleImageNet | SelfEnsemble
#: A file, an open config, or a dict like one.
ConfigLike: TypeAlias = Path | str | Config | dict[str, Any]


def build_network(
    config: ConfigLike | None = None,
    checkpoint: Path | str | None = None,
    weights: Path | str | None = None,
) -> Network:
    """Build only the generator, with trained weights.

    Args:
        config: Config of a training; only ``model.generator`` is used.
            Defaults to None.
        checkpoint: The result of that training: a file or a working
            directory. Defaults to None.
        weights: Published weights instead, or those of another program, see
            :func:`mmdsr.weights.peers.load_weights`. Defaults to None.

    Returns:
        The network, in evaluation mode.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If config and weights do not match, or the network would
            have random weights or needs depth maps.
    """
    source: ConfigLike | None
    network: nn.Module
    if weights is not None:
        source, network = weights, load_weights(weights)
    else:
        source, network = config, _from_config(config, checkpoint)
    if not isinstance(network, Network):
        raise ValueError(
            f'{_name(source)} contains a {type(network).__name__}: use one of '
            'the super-resolution networks of mmdsr.models.networks.'
        )
    if network.needs_depth:
        raise ValueError(
            f'{_name(source)} holds a {type(network).__name__} that needs '
            'depth maps as inputs: use one that predicts depth itself, such '
            'as configs/dsrnet/student.py.'
        )
    return network.eval()


def weights_path(
    checkpoint: Path | str | None, weights: Path | str | None
) -> Path:
    """Return the file that :func:`build_network` takes the weights from.

    Args:
        checkpoint: See :func:`build_network`.
        weights: See :func:`build_network`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If there are no published weights of that name.
    """
    if weights is None:
        if checkpoint is None:
            raise ValueError(
                'There are no weights: set checkpoint or weights.'
            )
        return Path(find_checkpoint(checkpoint))
    path = Path(weights)
    return path if path.suffix in SUFFIXES else weight_path(str(weights))


def takes_none(network: nn.Module) -> bool:
    """Return whether a network works without a reference.

    Args:
        network: Any network of the package.

    Returns:
        Whether its reference may be left out.
    """
    if isinstance(network, SelfEnsemble):
        network = network.network
    return inspect.signature(network.forward).parameters['ref'].default is None


def confidence_kind(network: nn.Module) -> Kind:
    """Return the meaning of a network's confidence in a reference.

    Args:
        network: Any network of the package.

    Returns:
        See :data:`mmdsr.evidence.record.Kind`.
    """
    if isinstance(network, SelfEnsemble):
        network = network.network
    return 'share' if isinstance(network, DSRNetX) else 'score'


def digest_of(network: nn.Module) -> str:
    """Return a digest of a trained network.

    Args:
        network: The network.

    Returns:
        Hexadecimal digits; they are equal for networks of the same kind with
        the same weights and options.
    """
    digest = hashlib.sha256()
    for name, module in network.named_modules():
        digest.update(f'{name} {type(module).__name__}'.encode())
        # Options that no weight shows, such as the repeats of a search.
        for key, option in sorted(vars(module).items()):
            if key[0] != '_' and key != 'training' and _is_plain(option):
                digest.update(f'{key} {option!r}'.encode())
    for key, value in sorted(network.state_dict().items()):
        digest.update(f'{key} {tuple(value.shape)}'.encode())
        digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _is_plain(option: object) -> bool:
    if isinstance(option, (tuple, list)):
        return all(map(_is_plain, option))
    return option is None or isinstance(option, (str, int, float))


def _from_config(
    config: ConfigLike | None, checkpoint: Path | str | None
) -> nn.Module:
    generator = _generator_config(config)
    if checkpoint is None:
        raise ValueError(
            f'There are no weights for {_name(config)}: set checkpoint to a '
            'file or the working directory of its training run. Without it, '
            'the network would run with random weights.'
        )
    try:
        path = find_checkpoint(checkpoint)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'There is no checkpoint at {checkpoint} (relative to '
            f'{Path.cwd()}) to run {_name(config)} with. Train it with '
            f'"python tools/train.py {_name(config)}", or set checkpoint to '
            'another file or working directory, or use published weights '
            '(weights=NAME) instead.'
        ) from error
    try:
        network = MODELS.build(generator)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'The generator of {_name(config)} cannot be built: {error}'
        ) from error
    load_generator(network, path)
    return network


def _generator_config(config: ConfigLike | None) -> dict[str, Any]:
    if isinstance(config, (str, Path)):
        path = Path(config).expanduser()
        if not path.is_file():
            raise FileNotFoundError(
                f'There is no config {config} (relative to {Path.cwd()}): '
                'set config to a file such as configs/dsrnet/student.py.'
            )
        try:
            # The modules in custom_imports may need a host; a generator does
            # not.
            content = Config.fromfile(path, import_custom_modules=False)
        # A config is Python code: anything can go wrong in it.
        except Exception as error:
            raise ValueError(
                f'The config {config} cannot be read: {error}'
            ) from error
    else:
        content = config
    model = content.get('model')
    generator = model.get('generator') if isinstance(model, dict) else None
    if not isinstance(generator, dict):
        raise ValueError(
            f'{_name(config)} has no model.generator: use a config that '
            'trains a super-resolution network, such as '
            'configs/dsrnet/student.py.'
        )
    return generator


def _name(config: ConfigLike | None) -> str:
    if isinstance(config, (str, Path)):
        return str(config)
    return str(getattr(config, 'filename', None) or 'the config')
