"""Choose the input of a host's network: HR, LR, bicubic or SR.

A config of mmsegmentation, mmdetection or mmpretrain that works on HR images
fully describes a network and its training. The config for small images follows
from it: the pipelines reduce the image at their end, and the data preprocessor
enlarges it again. So there is one config per network, and the four inputs
differ in nothing else.
"""

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config, ConfigDict

from mmdsr.errors import UsageError
from mmdsr.models.networks.padding import SCALE

#: Ways to enlarge the small image without a network: bilinearly, as a host's
#: resizing would do, or bicubically.
INTERPOLATED = {
    'lr': dict(interpolation='bilinear', scale=SCALE),
    'bicubic': dict(interpolation='bicubic', scale=SCALE),
}
#: Values of ``--input``.
INPUTS = (*INTERPOLATED, 'sr', 'hr')
DOWNSAMPLE = dict(type='mmdsr.Downsample', scale=1 / SCALE)
#: Data preprocessor of each host, by ``default_scope``, and ours.
_PREPROCESSORS = {
    'mmseg': ('SegDataPreProcessor', 'mmdsr.SRSegDataPreProcessor'),
    'mmdet': ('DetDataPreprocessor', 'mmdsr.SRDetDataPreprocessor'),
    'mmpretrain': ('ClsDataPreprocessor', 'mmdsr.SRClsDataPreprocessor'),
}
_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def add_input_argument(parser: ArgumentParser) -> None:
    """Add ``--input`` to a command line.

    Args:
        parser: Parser of the command line.
    """
    parser.add_argument(
        '--input',
        choices=INPUTS,
        help="input of the network, for a host's config on HR images: the "
        'image reduced by 4 and enlarged bilinearly (lr), bicubically, or by '
        'the network in "sr" of the config (default: the unchanged config)',
    )


def enable_sr(
    cfg: Config, picture: str, sr: dict[str, Any] | None = None
) -> None:
    """Change the input of a host's network, in place.

    ``mmdsr.Downsample`` is inserted right before ``Pack...`` in every
    pipeline, so that annotations stay in the frame of the HR image, and the
    data preprocessor becomes that of mmdsr.

    Args:
        cfg: Config of a host's network on HR images.
        picture: One of :data:`INPUTS`; ``'hr'`` changes nothing.
        sr: Arguments of :class:`mmdsr.inference.SuperResolver`, for ``'sr'``.
            Defaults to ``cfg.sr``.

    Raises:
        UsageError: If the config is not that of a host's network on HR images,
            or the super-resolution is not set.
    """
    if picture not in INPUTS:
        raise UsageError(
            f'The input {picture!r} does not exist: choose one of '
            f'{", ".join(INPUTS)}.'
        )
    place, preprocessor = _find_preprocessor(cfg)
    if picture == 'hr':
        return
    if picture in INTERPOLATED:
        sr = INTERPOLATED[picture]
    else:
        sr = sr or cfg.get('sr')
    if not sr:
        raise UsageError(
            'The super-resolution network is not set: use "--cfg-options '
            'sr.weights=dsrnet_x_nano", or sr=dict(...) at the top of '
            f'{cfg.filename}.'
        )
    own = _PREPROCESSORS[cfg.default_scope][1]
    place['data_preprocessor'] = ConfigDict(
        preprocessor, type=own, sr=ConfigDict(sr)
    )
    for loader in _LOADERS:
        if cfg.get(loader) and not _reduce(cfg[loader].get('dataset')):
            raise UsageError(
                f'{cfg.filename}: no pipeline of {loader} ends with Pack..., '
                'so there is no place to reduce the images.'
            )
    if cfg.get('tta_pipeline'):
        # Each list contains alternatives; the last step packs.
        transforms = cfg.tta_pipeline[-1].transforms
        transforms.insert(-1, [ConfigDict(DOWNSAMPLE)])
    for hook in cfg.get('custom_hooks') or ():
        # mmdet has a hook with another pipeline for the last epochs.
        if hook.get('switch_pipeline'):
            hook.switch_pipeline = _reduced(hook.switch_pipeline)


def _find_preprocessor(cfg: Config) -> tuple[Config | ConfigDict, ConfigDict]:
    """Return where the data preprocessor belongs, and its settings.

    They are empty if the config leaves them to the host's defaults.
    """
    scope = cfg.get('default_scope')
    if scope not in _PREPROCESSORS:
        raise UsageError(
            f'--input is for configs of {", ".join(_PREPROCESSORS)} on HR '
            f'images; {cfg.filename} has default_scope={scope!r}.'
        )
    # The runner passes the top-level one to a model without its own.
    place = cfg.model if 'data_preprocessor' in cfg.model else cfg
    found = place.get('data_preprocessor') or ConfigDict()
    if found.get('sr'):
        raise UsageError(
            f'{cfg.filename} already super-resolves: use the plain config '
            'of the network on HR images.'
        )
    kind = found.get('type', _PREPROCESSORS[scope][0])
    if kind.split('.')[-1] != _PREPROCESSORS[scope][0]:
        raise UsageError(
            f'{cfg.filename}: there is no super-resolution for the data '
            f'preprocessor {kind}; see "Another host" in '
            'docs/preprocessing.md to write one.'
        )
    return place, found


def _reduce(dataset: object) -> int:
    """Reduce the images of a data set and those inside; return the count."""
    count = 0
    for part in _datasets(dataset):
        pipeline = part.get('pipeline')
        if pipeline and _packs(pipeline[-1]):
            part['pipeline'] = _reduced(pipeline)
            count += 1
    return count


def _datasets(value: object) -> Iterator[ConfigDict]:
    """Yield a data set and those inside it."""
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from _datasets(part)
    elif isinstance(value, dict):
        yield value
        yield from _datasets(value.get('dataset'))
        yield from _datasets(value.get('datasets'))


def _packs(step: Mapping[str, Any]) -> bool:
    return step['type'].split('.')[-1].startswith('Pack')


def _reduced(pipeline: list[ConfigDict]) -> list[ConfigDict]:
    """Return a pipeline that reduces the image before it is packed."""
    *first, pack = pipeline
    # Two loaders may share one data set.
    if first and first[-1] == DOWNSAMPLE:
        return pipeline
    return [*first, ConfigDict(DOWNSAMPLE), pack]
