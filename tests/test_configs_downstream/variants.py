"""What the LR, SR and HR variants of a task have in common."""

import copy
from pathlib import Path

import yaml
from mmengine.config import Config

CONFIGS = Path(__file__).parents[2] / 'configs/downstream'
KINDS = ('hr', 'lr', 'sr')
SMALL = dict(type='mmdsr.Downsample', scale=1 / 4)


def kind_of(path):
    """``'hr'``, ``'lr'`` or ``'sr'``."""
    return path.stem.removesuffix('_quick')[-2:]


def hr_of(path):
    """The HR variant's config of the same network and size."""
    return Config.fromfile(
        path.with_stem(path.stem.replace(f'_{kind_of(path)}', '_hr'))
    )


def wanted_stage(path):
    """``sr`` of the data preprocessor; None without it."""
    restored = dict(
        config='configs/dsrnet/student.py', checkpoint='work_dirs/student'
    )
    if path.stem.endswith('quick'):
        restored = dict(weights='dsrnet_student_quick')
    return {
        'hr': None,
        'lr': dict(interpolation='bilinear', scale=4),
        'sr': restored,
    }[kind_of(path)]


def check_files(folder, networks):
    """All variants are there, in the metafile and in the README."""
    names = {
        f'{net}_{kind}{size}'
        for net in networks
        for kind in KINDS
        for size in ('', '_quick')
    }
    assert {path.stem for path in folder.glob('*.py')} == names
    meta = yaml.safe_load((folder / 'metafile.yml').read_text())
    listed = {Path(model['Config']).stem for model in meta['Models']}
    assert listed == names
    readme = (folder / 'README.md').read_text()
    assert all(f'{net}_' in readme for net in networks)


def check_differs_in_the_picture_only(path, scope, pack, preprocessor):
    """Pipeline and data preprocessor make the variant, and nothing else."""
    cfg, hr = Config.fromfile(path), hr_of(path)
    assert cfg.default_scope == scope
    for key in ('train', 'val', 'test'):
        mine = copy.deepcopy(cfg[f'{key}_dataloader'])
        other = hr[f'{key}_dataloader']
        wanted = list(other.dataset.pipeline)
        if kind_of(path) != 'hr':
            wanted.insert(-1, SMALL)
        assert list(mine.dataset.pipeline) == wanted
        assert wanted[-1].type == pack
        mine.dataset.pipeline = other.dataset.pipeline
        assert mine == other
    model = copy.deepcopy(cfg.model)
    stage = model.data_preprocessor.pop('sr', None)
    model.data_preprocessor.type = preprocessor
    assert model == hr.model
    assert stage == wanted_stage(path)
    for key in ('optim_wrapper', 'param_scheduler', 'train_cfg'):
        assert cfg[key] == hr[key]
