"""Ablation studies: rows that differ in one thing, under one budget.

A study is a YAML file with a ``title`` and ``rows``, each with a ``label``, a
``config`` (relative to the file) and optionally ``options`` as on the command
line. All rows get the same iterations, crops, data and seeds, are not
validated while they train, and are judged by their last weights: picking the
best of several by the test data would favor the noisier row.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config

from mmdsr.engine.check_data import list_datasets
from mmdsr.engine.launch import load_config
from mmdsr.engine.options import merge_options
from mmdsr.errors import UsageError
from mmdsr.experiments.ablation.fit import set_crop, set_iterations
from mmdsr.settings import Settings, setting


@dataclass
class AblationRow:
    """One line of a study.

    Args:
        label: Name in the table.
        config: Path of its config.
        options: Overrides of the config, keys with dots.
        name: Name of its folder, derived from the label.
    """

    label: str
    config: Path
    options: dict = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the folder: the label in lower-case letters and digits."""
        text = self.label.lower().replace('+', ' and ')
        return re.sub(r'[^a-z0-9_.]+', '-', text).strip('-.') or 'row'


@dataclass
class Study:
    """A list of rows.

    Args:
        title: Title of the table.
        rows: Rows in the order of the table; the others are compared with the
            first one.
    """

    title: str
    rows: list


def _absolute(path: str) -> str:
    """Return a path that is also valid in the folder of a run."""
    return str(Path(path).resolve())


@dataclass(frozen=True)
class Budget(Settings):
    """What all rows have in common; None keeps the value of each config.

    ``options`` overrides every config, keys with dots.
    """

    iters: int | None = setting(
        None,
        "iterations of every run (default: each config's schedule)",
        least=1,
    )
    crop: int | None = setting(None, 'side of the square LR crops', least=1)
    batch_size: int | None = setting(None, 'samples of a step', least=1)
    data_root: str | None = setting(None, 'training data', parse=_absolute)
    teacher: str | None = setting(
        None,
        'checkpoint or working directory of the teacher for distilled rows',
        parse=_absolute,
    )
    options: dict = field(default_factory=dict)


def read_study(path: Path | str) -> Study:
    """Read a study.

    Args:
        path: YAML file.

    Returns:
        The study.

    Raises:
        UsageError: If the file is missing or is not a study.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f'The study {path} does not exist.')
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f'{path} is not a YAML file: {error}') from error
    try:
        _check_keys(content, {'title', 'rows'})
        rows = []
        for entry in content['rows']:
            _check_keys(entry, {'label', 'config', 'options'})
            config = path.parent / entry['config']
            options = dict(entry.get('options') or {})
            rows.append(AblationRow(str(entry['label']), config, options))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(
            f'{path} is not a study: {error}. It needs "rows", each with '
            '"label", "config" and optionally "options", and may have a '
            '"title".'
        ) from error
    return check_study(Study(str(content.get('title', path.stem)), rows))


def _check_keys(content: dict[str, Any], known: set[str]) -> None:
    unknown = content.keys() - known
    if unknown:
        raise KeyError(f'unknown key {", ".join(sorted(map(str, unknown)))}')


def study_of_configs(paths: Sequence[str]) -> Study:
    """Create a study from configs.

    Args:
        paths: Config files; their names become the labels.

    Returns:
        The study.

    Raises:
        UsageError: If two have the same name, or one is missing.
    """
    rows = [AblationRow(Path(path).stem, Path(path)) for path in paths]
    return check_study(Study('Comparison', rows))


def find_study(names: Sequence[str], folder: Path) -> Study:
    """Return the study of a command line.

    Args:
        names: Names of studies, YAML files, or configs, one per row; the rows
            of all are put together.
        folder: Folder of the named studies.

    Returns:
        The study.

    Raises:
        UsageError: If one is unknown, missing, or does not fit the others.
    """
    if all(name.endswith('.py') for name in names):
        return study_of_configs(names)
    studies = []
    for name in names:
        if name.endswith('.py'):
            studies.append(study_of_configs([name]))
            continue
        path = Path(name)
        if path.suffix not in ('.yml', '.yaml'):
            path = Path(folder, f'{name}.yml')
            if not path.is_file():
                known = sorted(p.stem for p in Path(folder).glob('*.yml'))
                raise UsageError(
                    f'There is no study {name!r}; known: {", ".join(known)}. '
                    'Write a YAML file for your own study.'
                )
        studies.append(read_study(path))
    rows = [row for study in studies for row in study.rows]
    return check_study(Study(studies[0].title, rows))


def check_study(study: Study) -> Study:
    """Raise an error if a study cannot be run.

    Args:
        study: The study.

    Returns:
        The study.

    Raises:
        UsageError: If there is no row, a config is missing, or two rows have
            names that lead to the same folder.
    """
    if not study.rows:
        raise UsageError('The study has no rows.')
    seen: dict[str, str] = {}
    for row in study.rows:
        if not row.config.is_file():
            raise UsageError(f'The config {row.config} does not exist.')
        if row.name in seen:
            raise UsageError(
                f'The labels {seen[row.name]!r} and {row.label!r} are too '
                'similar: they would share a folder.'
            )
        seen[row.name] = row.label
    return study


def prepare(row: AblationRow, budget: Budget, seed: int) -> Config:
    """Return the config of a run.

    Args:
        row: The row.
        budget: What all rows have in common.
        seed: Seed of initialization, order and augmentation.

    Returns:
        The config, ready for training and without validation.

    Raises:
        UsageError: If the config cannot be read, or has a schedule that
            cannot be fitted to the budget.
    """
    cfg = load_config(row.config, row.options)
    merge_options(cfg, budget.options, row.config)
    cfg.experiment_name = f'{row.name}_seed{seed}'
    cfg.work_dir = None
    cfg.randomness = dict(cfg.get('randomness') or {}, seed=seed)
    for key in ('val_dataloader', 'val_cfg', 'val_evaluator'):
        cfg[key] = None
    cfg.default_hooks.checkpoint.save_best = None
    # Strips belong to validation; curves are in scalars.json of every run.
    cfg.custom_hooks = [
        hook
        for hook in cfg.get('custom_hooks') or []
        if hook['type'] != 'mmdsr.StripVisualizationHook'
    ]
    cfg.visualizer = dict(
        type='mmengine.Visualizer', vis_backends=[dict(type='LocalVisBackend')]
    )
    if budget.data_root:
        if cfg.train_dataloader.dataset.type == 'mmdsr.MixedDataset':
            raise UsageError(
                f'{row.config} mixes several data sets: set their roots with '
                '--cfg-options '
                'train_dataloader.dataset.datasets.0.data_root=FOLDER and so '
                'on instead of a single root.'
            )
        cfg.train_dataloader.dataset.data_root = str(budget.data_root)
    if budget.batch_size:
        cfg.train_dataloader.batch_size = budget.batch_size
    if budget.teacher and has_teacher(cfg):
        cfg.model.teacher_checkpoint = str(budget.teacher)
    if budget.crop:
        set_crop(cfg, budget.crop)
    if budget.iters:
        set_iterations(cfg, budget.iters)
    return cfg


def has_teacher(cfg: Config) -> bool:
    """Return whether a config distills.

    Args:
        cfg: The config.

    Returns:
        Whether a teacher is loaded.
    """
    model = cfg.model
    return bool(
        model.get('teacher') and (model.get('kd_loss') or model.get('adm'))
    )


def training_roots(cfg: Config) -> list[str]:
    """Return the data sets that a config trains on.

    Args:
        cfg: The config.

    Returns:
        Their roots, in the order of the config.
    """
    parts = list_datasets('', cfg.train_dataloader.dataset)
    return list(dict.fromkeys(str(part['data_root']) for _, part in parts))
