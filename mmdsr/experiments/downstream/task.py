"""Training runs that show whether super-resolution helps a task.

A task is a config of a host that is trained and tested on HR images. The same
config is then run on other versions of the images: the LR image enlarged to HR
size bilinearly or bicubically, and super-resolved. All versions have the same
size, names and annotations.

With the protocol ``'hr'`` the network is trained on HR images and tested on
each version, as it would meet them in use; with ``'same'`` it is trained and
tested on each version. The paper does not say which it used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmdsr.engine.launch import load_config
from mmdsr.errors import UsageError

#: The seven of section 5.3 and one with ImageNet features: the folder of their
#: configs.
TASKS = {
    'fcn': 'mmseg',
    'deeplabv3plus': 'mmseg',
    'ssd300': 'mmdet',
    'yolov5s': 'mmdet',
    'inception_v3': 'mmpretrain',
    'resnet101': 'mmpretrain',
    'xie': 'mmpretrain',
    'efficientnet_lite0': 'mmpretrain',
}
#: Tasks of ``'all'``.
PAPER_TASKS = tuple(TASKS)[:7]
PROTOCOLS = ('hr', 'same')
SPLITS = ('train', 'test')
_SIMULATED = ('sewersim-pipe', 'sewersim-ml')


@dataclass
class Task:
    """What is trained and tested.

    Args:
        name: Name of its folder.
        config: Config of a host's network on HR images.
    """

    name: str
    config: Path


def find_tasks(
    names: Sequence[str], configs: Path, full: bool = False
) -> list[Task]:
    """Return the tasks of the command line.

    Args:
        names: Names of :data:`TASKS`, ``'all'``, or config files.
        configs: Folder of the downstream configs.
        full: Use the paper-scale configs instead of the quick ones.

    Returns:
        The tasks in the given order, each once.

    Raises:
        UsageError: If a name is unknown, a file is missing, or two files
            have the same name.
    """
    tasks: dict[str, Task] = {}
    for name in names:
        for part in PAPER_TASKS if name == 'all' else (name,):
            if part in TASKS:
                suffix = '' if full else '_quick'
                path = Path(configs, TASKS[part], f'{part}{suffix}.py')
            elif part.endswith('.py'):
                path = Path(part)
            else:
                raise UsageError(
                    f'There is no task {part!r}; known: all, '
                    f'{", ".join(TASKS)}. Give a config file for your own '
                    'task.'
                )
            if not path.is_file():
                raise UsageError(f'The config {path} does not exist.')
            task = Task(part if part in TASKS else path.stem, path)
            if tasks.setdefault(task.name, task) != task:
                raise UsageError(
                    f'{tasks[task.name].config} and {path} would share a '
                    'folder: rename one.'
                )
    return list(tasks.values())


def data_sets(loader: dict[str, Any] | None) -> list[dict[str, Any]]:
    """List the data sets of a data loader without their wrappers.

    Args:
        loader: Config of the loader.

    Returns:
        Their configs.
    """
    found, waiting = [], [(loader or {}).get('dataset')]
    while waiting:
        dataset = waiting.pop()
        if isinstance(dataset, (list, tuple)):
            waiting += dataset
        elif isinstance(dataset, dict):
            inner = dataset.get('dataset') or dataset.get('datasets')
            if inner:
                waiting.append(inner)
            else:
                found.append(dataset)
    return found


def image_folders(
    cfg: Config, splits: Sequence[str] = SPLITS
) -> dict[str, list[str]]:
    """Return where the images of a config are.

    Args:
        cfg: The config.
        splits: Some of :data:`SPLITS`.

    Returns:
        Folders of images below each data root, by the data root.

    Raises:
        UsageError: If a data set does not define them.
    """
    folders: dict[str, list[str]] = {}
    for split in splits:
        datasets = data_sets(cfg.get(f'{split}_dataloader'))
        if not datasets:
            raise UsageError(f'{cfg.filename} has no {split}_dataloader.')
        for dataset in datasets:
            root, prefix = dataset.get('data_root'), dataset.get('data_prefix')
            masks = None
            if isinstance(prefix, dict):
                masks = prefix.get('seg_map_path')
                prefix = prefix.get('img_path', prefix.get('img'))
            if not root or not isinstance(prefix, str):
                raise UsageError(
                    f'{cfg.filename}: the data set of {split}_dataloader '
                    'needs data_root and data_prefix to locate the images.'
                )
            prefix = Path(prefix).as_posix()
            if masks is not None and Path(masks).as_posix() == prefix:
                raise UsageError(
                    f'{cfg.filename}: images and masks are both in {prefix}: '
                    'put them into two folders.'
                )
            own = folders.setdefault(root, [])
            if prefix not in own:
                own.append(prefix)
    return folders


def annotation_files(cfg: Config, split: str) -> list[Path]:
    """Return the files with the annotations of a config.

    Args:
        cfg: The config, with the paths of its data on this machine.
        split: One of :data:`SPLITS`.

    Returns:
        The existing ones of its data sets and its evaluator, sorted.
    """
    evaluators = cfg.get(f'{split}_evaluator') or []
    if isinstance(evaluators, dict):
        evaluators = [evaluators]
    owners = [*data_sets(cfg.get(f'{split}_dataloader')), *evaluators]
    paths = {
        Path(owner.get('data_root') or '', owner['ann_file'])
        for owner in owners
        if owner.get('ann_file')
    }
    return sorted(path for path in paths if path.is_file())


def find_root(root: str, data_root: str | None = None) -> Path:
    """Return the folder of a data set.

    Args:
        root: Data root of the config.
        data_root: Data root given by the user: the data set itself, or a
            folder that contains it under its name.

    Returns:
        The folder, absolute.

    Raises:
        UsageError: If it does not exist.
    """
    path = Path(root)
    if data_root:
        path = Path(data_root)
        if (path / Path(root).name).is_dir():
            path = path / Path(root).name
    if path.is_dir():
        return path.resolve()
    name = Path(root).name
    remedy = 'set --data-root.'
    if name in _SIMULATED:
        place = root if not data_root else Path(data_root, name)
        remedy = (
            'create it with "python '
            f'tools/dataset_converters/make_sewersim.py {place} --name {name} '
            '--subset mini", or set --data-root.'
        )
    raise UsageError(f'The data set {path} does not exist: {remedy}')


def retarget(value: object, roots: dict[str, str]) -> object:
    """Replace data roots wherever a config names them, in place.

    Args:
        value: Config or a part of it.
        roots: New root for each old root.

    Returns:
        ``value``, or a new string if ``value`` is a string.
    """
    if isinstance(value, str):
        for old, new in roots.items():
            old = old.rstrip('/')
            if value.rstrip('/') == old or value.startswith(f'{old}/'):
                return f'{new}{value.rstrip("/")[len(old) :]}'
        return value
    if isinstance(value, Config):
        retarget(value._cfg_dict, roots)
        return value
    if isinstance(value, dict):
        for key in value:
            value[key] = retarget(value[key], roots)
        return value
    if isinstance(value, (list, tuple)):
        return type(value)(retarget(part, roots) for part in value)
    return value


def prepare(
    task: Task, seed: int, options: dict[str, Any] | None = None
) -> Config:
    """Return the config of a training.

    Args:
        task: The task.
        seed: Seed of initialization, order and augmentation.
        options: Overrides, keys with dots.

    Returns:
        The config, ready for training on HR images. It has no validation,
        because choosing the best checkpoint by the test data would reward
        noise.

    Raises:
        UsageError: If it cannot be used.
    """
    cfg = load_config(task.config, options)
    for key in ('train_cfg', 'train_dataloader', 'test_evaluator', 'model'):
        if not cfg.get(key):
            raise UsageError(f'{task.config} has no {key}.')
    preprocessors = (cfg.get('data_preprocessor'), cfg.model.get(
        'data_preprocessor'))  # fmt: skip
    if any((part or {}).get('sr') for part in preprocessors):
        raise UsageError(
            f'{task.config} already super-resolves: give the plain config of '
            'the network on HR images.'
        )
    cfg.experiment_name = f'{task.name}_seed{seed}'
    cfg.work_dir = None
    cfg.randomness = dict(cfg.get('randomness') or {}, seed=seed)
    for key in ('val_dataloader', 'val_cfg', 'val_evaluator'):
        cfg[key] = None
    hooks = cfg.get('default_hooks') or {}
    if hooks.get('checkpoint'):
        hooks['checkpoint']['save_best'] = None
    return cfg
