"""Check that the files of a config exist, before anything is built.

The keys are those that the data sets of all hosts share: ``data_root``,
``ann_file`` and ``data_prefix``, including those inside wrappers such as
``RepeatDataset`` and ``ConcatDataset``, and ``ann_file`` of evaluators.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from mmengine import Config

from mmdsr.engine.check_sizes import check_sizes
from mmdsr.errors import UsageError

#: Start of an address such as ``s3://bucket``; a drive has one letter.
_REMOTE = re.compile(r'[\w+.-]{2,}:/')
#: Simulated data sets that a single command creates.
_SIMULATED = ('sewersim-sr', 'sewersim-pipe', 'sewersim-ml')
#: Data sets that download their files themselves.
_FETCHING = ('CIFAR10', 'CIFAR100', 'MNIST', 'FashionMNIST')


def check_data(cfg: Config, loaders: Sequence[str]) -> None:
    """Raise an error if files of the data sets of a config do not exist.

    Args:
        cfg: The config.
        loaders: Keys of the data loaders to check.

    Raises:
        UsageError: If the root or a folder of a data set does not exist, a
            file with annotations is missing, or the images of a RefSR data
            set do not match.
    """
    for key in loaders:
        for option, loader in _items(key, cfg.get(key)):
            for name, dataset in list_datasets(
                f'{option}.dataset', loader.get('dataset')
            ):
                _check_dataset(name, dataset, key)
                if _kind(dataset) == 'RefSRDataset':
                    _check_images(dataset, loader.get('batch_size', 1), key)
        evaluator = key.replace('_dataloader', '_evaluator')
        for option, metric in _items(evaluator, cfg.get(evaluator)):
            path = metric.get('ann_file')
            if _is_local(path, metric) and not Path(path).is_file():
                raise UsageError(
                    f'The annotation file {path} ({option}) does not exist: '
                    f'set --cfg-options {option}.ann_file=FILE.'
                )


def _items(name: str, value: object) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the parts of a setting that is one dict or several."""
    if isinstance(value, Mapping):
        return [(name, value)]
    if isinstance(value, (list, tuple)):
        return [
            (f'{name}.{number}', part)
            for number, part in enumerate(value)
            if isinstance(part, Mapping)
        ]
    return []


def list_datasets(
    name: str, dataset: object
) -> list[tuple[str, Mapping[str, Any]]]:
    """List the data sets inside wrappers, each with its option.

    Args:
        name: Option of the data set.
        dataset: Its config, possibly of a wrapper.

    Returns:
        Option and config of each.
    """
    if not isinstance(dataset, Mapping):
        return []
    inner = [
        *_items(f'{name}.dataset', dataset.get('dataset')),
        *_items(f'{name}.datasets', dataset.get('datasets')),
    ]
    if not inner:
        return [(name, dataset)]
    # mmdsr.MixedDataset passes its pipeline to data sets without one.
    default = {k: v for k, v in dataset.items() if k == 'pipeline'}
    return [
        found
        for option, part in inner
        for found in list_datasets(option, {**default, **part})
    ]


def _check_images(
    dataset: Mapping[str, Any], batch_size: int, loader: str
) -> None:
    if not _is_local(dataset.get('data_root'), dataset):
        return
    try:
        check_sizes(dataset, batch_size)
    except (OSError, TypeError, ValueError) as error:
        raise UsageError(f'{loader}: {error}') from error


def _kind(dataset: Mapping[str, Any]) -> str:
    return str(dataset.get('type')).rpartition('.')[2]


def _check_dataset(name: str, dataset: Mapping[str, Any], loader: str) -> None:
    kind = _kind(dataset)
    if kind in _FETCHING:
        return
    root = dataset.get('data_root') or ''
    if root and not _is_local(root, dataset):
        return
    if root and not Path(root).is_dir():
        raise UsageError(
            f'The data set {root} ({loader}) does not exist: '
            f'{_how_to_make(root, kind)}'
            f'set --cfg-options {name}.data_root=FOLDER.'
        )
    path = dataset.get('ann_file')
    if _is_local(path, dataset) and not Path(root, path).exists():
        raise UsageError(
            f'The annotation file {Path(root, path)} ({loader}) does not '
            f'exist: set --cfg-options {name}.ann_file=FILE.'
        )
    prefix = dataset.get('data_prefix')
    prefixes = prefix if isinstance(prefix, Mapping) else {'': prefix}
    for key, folder in prefixes.items():
        if _is_local(folder, dataset) and not Path(root, folder).is_dir():
            option = '.'.join(filter(None, (name, 'data_prefix', key)))
            raise UsageError(
                f'The folder {Path(root, folder)} ({loader}) does not exist: '
                f'set --cfg-options {option}=FOLDER.'
            )


def _is_local(path: object, owner: Mapping[str, Any]) -> TypeGuard[Path | str]:
    """Return whether this is a path on this machine."""
    return (
        isinstance(path, (str, Path))
        and bool(str(path))
        and not _REMOTE.match(str(path))
        and not owner.get('backend_args')
    )


def _how_to_make(root: Path | str, kind: str) -> str:
    name = Path(root).name
    tool = f'"python tools/dataset_converters/make_sewersim.py {root}'
    if name in _SIMULATED:
        return f'create it with {tool} --name {name} --subset mini", or '
    if kind == 'RefSRDataset':
        return f'create it with "make data" or {tool}", or '
    return ''
