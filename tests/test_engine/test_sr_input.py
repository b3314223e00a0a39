"""``--input``: what a config of a host on HR images becomes."""

import copy
from pathlib import Path

import pytest
from mmengine.config import Config

from mmdsr.engine.launch import load_config
from mmdsr.engine.sr_input import DOWNSAMPLE, INPUTS, enable_sr
from mmdsr.errors import UsageError

CONFIGS = Path(__file__).parents[2] / 'configs/downstream'
LOAD, PACK = dict(type='LoadImageFromFile'), dict(type='mmdet.PackDetInputs')
SR = dict(weights='dsrnet_student', reference='self')


def detector(dataset, **kwargs):
    """A config as far as ``enable_sr`` looks at it."""
    return Config(
        dict(
            default_scope='mmdet',
            model=dict(
                type='SSD',
                data_preprocessor=dict(type='DetDataPreprocessor', mean=[1]),
            ),
            train_dataloader=dict(dataset=dataset),
            **kwargs,
        )
    )


def plain():
    return dict(type='CocoDataset', pipeline=[LOAD, PACK])


def test_only_the_image_changes():
    hr = detector(plain(), test_dataloader=dict(dataset=plain()), sr=SR)
    stages = dict(
        lr=dict(interpolation='bilinear', scale=4),
        bicubic=dict(interpolation='bicubic', scale=4),
        sr=SR,
    )
    assert set(INPUTS) == {*stages, 'hr'}
    for picture, stage in stages.items():
        cfg = copy.deepcopy(hr)
        enable_sr(cfg, picture)
        preprocessor = cfg.model.data_preprocessor
        assert preprocessor == dict(
            type='mmdsr.SRDetDataPreprocessor', mean=[1], sr=stage
        )
        for loader in (cfg.train_dataloader, cfg.test_dataloader):
            assert loader.dataset.pipeline == [LOAD, DOWNSAMPLE, PACK]
            loader.dataset.pipeline = [LOAD, PACK]
        del preprocessor.sr
        preprocessor.type = 'DetDataPreprocessor'
        assert cfg.to_dict() == hr.to_dict()
    cfg = copy.deepcopy(hr)
    enable_sr(cfg, 'hr')
    assert cfg.to_dict() == hr.to_dict()


def test_hr_leaves_the_defaults_of_the_host():
    hr = detector(plain())
    del hr.model['data_preprocessor']
    cfg = copy.deepcopy(hr)
    enable_sr(cfg, 'hr')
    assert cfg.to_dict() == hr.to_dict()


def test_arguments_override_the_config():
    cfg = detector(plain(), sr=SR)
    enable_sr(cfg, 'sr', dict(weights='mine.safetensors'))
    assert cfg.model.data_preprocessor.sr == dict(weights='mine.safetensors')


def test_the_pipeline_that_packs_is_found_in_wrappers():
    inner = dict(type='CocoDataset', pipeline=[LOAD])
    mix = dict(
        type='MultiImageMixDataset', dataset=inner, pipeline=[LOAD, PACK]
    )
    cfg = detector(mix)
    enable_sr(cfg, 'lr')
    mix = cfg.train_dataloader.dataset
    assert mix.pipeline == [LOAD, DOWNSAMPLE, PACK]
    assert mix.dataset.pipeline == [LOAD]

    several = dict(type='ConcatDataset', datasets=[plain(), plain()])
    cfg = detector(dict(type='RepeatDataset', times=2, dataset=several))
    enable_sr(cfg, 'lr')
    for part in cfg.train_dataloader.dataset.dataset.datasets:
        assert part.pipeline == [LOAD, DOWNSAMPLE, PACK]


def test_one_data_set_in_two_loaders_is_reduced_once():
    cfg = detector(plain())
    cfg.val_dataloader = cfg.test_dataloader = cfg.train_dataloader
    enable_sr(cfg, 'lr')
    for key in ('train', 'val', 'test'):
        pipeline = cfg[f'{key}_dataloader'].dataset.pipeline
        assert pipeline == [LOAD, DOWNSAMPLE, PACK]


def test_other_pipelines_of_the_config_follow():
    """Of test-time augmentation, and of the last epochs."""
    flips = [dict(type='RandomFlip', prob=p) for p in (0.0, 1.0)]
    cfg = detector(
        plain(),
        tta_pipeline=[
            LOAD,
            dict(type='TestTimeAug', transforms=[flips, [PACK]]),
        ],
        custom_hooks=[
            dict(type='SyncNormHook'),
            dict(type='PipelineSwitchHook', switch_pipeline=[LOAD, PACK]),
        ],
    )
    enable_sr(cfg, 'lr')
    assert cfg.tta_pipeline[-1].transforms == [flips, [DOWNSAMPLE], [PACK]]
    assert cfg.custom_hooks[1].switch_pipeline == [LOAD, DOWNSAMPLE, PACK]
    assert cfg.custom_hooks[0] == dict(type='SyncNormHook')


def test_mmpretrain_keeps_its_data_preprocessor_at_the_top():
    own = dict(type='ClsDataPreprocessor', num_classes=2)
    for at_top, inside in (
        (dict(data_preprocessor=dict(num_classes=2)), {}),
        (dict(data_preprocessor=own), {}),
        ({}, dict(data_preprocessor=own)),
        # The host's default.
        ({}, {}),
    ):
        cfg = Config(
            dict(
                default_scope='mmpretrain',
                model=dict(type='ImageClassifier', **inside),
                train_dataloader=dict(
                    dataset=dict(pipeline=[LOAD, dict(type='PackInputs')])
                ),
                **at_top,
            )
        )
        enable_sr(cfg, 'sr', SR)
        place = cfg.model if inside else cfg
        found = place.data_preprocessor
        assert found.type == 'mmdsr.SRClsDataPreprocessor'
        assert found.sr == SR
        assert found.get('num_classes') == (2 if at_top or inside else None)
        assert ('data_preprocessor' in cfg.model) == bool(inside)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(default_scope='mmagic'), "has default_scope='mmagic'"),
        (
            {'model.data_preprocessor.sr': dict(weights='x')},
            'already super-resolves',
        ),
        (
            {'model.data_preprocessor.type': 'mmrotate.Mine'},
            'data preprocessor mmrotate.Mine',
        ),
        (
            {'train_dataloader.dataset.pipeline': [LOAD]},
            'no pipeline of train_dataloader ends with Pack',
        ),
        ({'sr': None}, 'sr.weights=dsrnet_x_nano'),
    ],
)
def test_contradictory_arguments_are_refused(change, message):
    cfg = detector(plain(), sr=SR)
    cfg.merge_from_dict(change)
    with pytest.raises(UsageError, match=message):
        enable_sr(cfg, 'sr')


def test_unknown_input():
    with pytest.raises(
        UsageError,
        match="input 'mr' does not exist: choose one of lr, bicubic",
    ):
        enable_sr(detector(plain()), 'mr')


@pytest.mark.parametrize(
    ('name', 'preprocessor'),
    [
        ('mmseg/fcn_quick', 'mmdsr.SRSegDataPreProcessor'),
        ('mmdet/yolov5s', 'mmdsr.SRDetDataPreprocessor'),
        ('mmpretrain/xie_quick', 'mmdsr.SRClsDataPreprocessor'),
    ],
)
def test_a_config_of_each_host(name, preprocessor):
    """With an option of the command line for ``sr``."""
    path = CONFIGS / f'{name}.py'
    pytest.importorskip(name.split('/')[0])
    options = {'sr.reference': 'self'}
    cfg = load_config(path, options, picture='sr')
    # A folder of its own for each picture.
    assert cfg.work_dir == f'work_dirs/{path.stem}_sr'
    hr = load_config(path, picture='hr')
    assert hr.work_dir == f'work_dirs/{path.stem}'
    assert load_config(path, None, 'mine', picture='sr').work_dir == 'mine'
    place = cfg.model if cfg.default_scope != 'mmpretrain' else cfg
    assert place.data_preprocessor.type == preprocessor
    assert place.data_preprocessor.sr == dict(hr.sr, reference='self')
    for key in ('train', 'val', 'test'):
        small = list(cfg[f'{key}_dataloader'].dataset.pipeline)
        large = list(hr[f'{key}_dataloader'].dataset.pipeline)
        assert small == [*large[:-1], DOWNSAMPLE, large[-1]]
