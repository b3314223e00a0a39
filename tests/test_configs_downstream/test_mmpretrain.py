"""The classification configs: they build, agree, train and test."""

import copy

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from variants import (
    CONFIGS,
    KINDS,
    check_files,
    check_restored,
    load,
    to_train,
)

from mmdsr.datasets.sewer_ml_csv import CLASSES, HEADER, write_rows
from mmdsr.io.images import write_png
from mmdsr.registry import MODELS

pytest.importorskip('mmpretrain')

FOLDER = CONFIGS / 'mmpretrain'
NETWORKS = ('inception_v3', 'resnet101', 'xie', 'efficientnet_lite0')
QUICK = to_train(*reversed(NETWORKS))
LABELS = [['RB', 'GR'], ['FS'], [], ['RB']]


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Four images of 352x288 in the layout of SewerSim."""
    root = tmp_path_factory.mktemp('sewersim-ml')
    rng = np.random.default_rng(0)
    for split in ('train', 'test'):
        rows = []
        for number, codes in enumerate(LABELS):
            name = f'{number}.png'
            image = rng.integers(0, 256, (288, 352, 3), dtype=np.uint8)
            write_png(root / 'images' / split / name, image)
            row = dict.fromkeys(HEADER, 0) | {'Filename': name}
            row |= {code: int(code in codes) for code in CLASSES}
            row |= {'ND': int(not codes), 'Defect': int(bool(codes))}
            rows.append(row)
        write_rows(root / f'{split}.csv', rows)
    return root


def built(cfg):
    """The model as the runner builds it, without its preprocessor."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(copy.deepcopy(cfg.model))


def runner(cfg, root, folder):
    for key in ('train', 'val', 'test'):
        loader = cfg[f'{key}_dataloader']
        loader.update(num_workers=0, persistent_workers=False, batch_size=2)
        loader.dataset.data_root = str(root)
    # Tested by the test loop only.
    cfg.train_cfg.update(max_epochs=1, val_interval=2)
    cfg.work_dir = str(folder)
    cfg.experiment_name = folder.name
    cfg.log_level = 'WARNING'
    return Runner.from_cfg(cfg)


def test_all_configs_are_there():
    check_files(FOLDER, NETWORKS)


@pytest.mark.parametrize('network', NETWORKS)
def test_transforms_that_restore_the_image(network):
    check_restored(FOLDER, network)


@pytest.mark.parametrize('size', ['', '_quick'])
@pytest.mark.parametrize('network', NETWORKS)
def test_downsample_can_divide_the_frame(network, size):
    cfg = load(FOLDER, f'{network}{size}')
    for key in ('train', 'val', 'test'):
        resize = cfg[f'{key}_dataloader'].dataset.pipeline[1]
        assert all(side % 4 == 0 for side in resize.scale)


@pytest.mark.parametrize(
    ('name', 'parameters'),
    [
        # torchvision's counts, with the last layers made for 15 classes:
        # 27,161,264 less 2048 + 1 and 768 + 1 inputs for 985 classes.
        ('inception_v3', 27_161_264 - 985 * (2049 + 769)),
        ('resnet101', 44_549_160 - 985 * 2049),
        ('xie', 9_159_681 + 9_166_863),
        # Its paper's count of 4.65 M, with a last layer for 15 classes.
        ('efficientnet_lite0', 4_652_008 - 985 * 1281),
    ],
)
def test_the_paper_s_networks_have_their_size(name, parameters):
    model = built(load(FOLDER, name))
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_the_recipe_of_the_benchmark():
    for network in NETWORKS:
        cfg = load(FOLDER, network)
        optimizer = cfg.optim_wrapper.optimizer
        assert optimizer == dict(
            type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4
        )
        assert cfg.train_cfg.max_epochs == 90
        assert cfg.param_scheduler.milestones == [30, 60, 80]
        assert cfg.train_dataloader.batch_size == 256
        assert [hook.type for hook in cfg.custom_hooks] == [
            'mmdsr.PosWeightHook'
        ]
        assert cfg.val_evaluator.thr == 0.5
        assert cfg.train_dataloader.dataset.label_set == '15'


@pytest.mark.parametrize(('name', 'kind'), QUICK)
def test_a_quick_config_trains_and_tests(name, kind, root, tmp_path):
    run = runner(load(FOLDER, name, kind), root, tmp_path)
    before = {k: v.clone() for k, v in run.model.state_dict().items()}
    run.train()
    metrics = run.test()
    # Of the test images: RB, FS, GR, and what is normal.
    assert set(metrics) == {
        'F1/RB', 'F1/FS', 'F1/GR', 'F1/mean', 'F2CIW-3', 'F1Normal',
    }  # fmt: skip
    assert all(0 <= value <= 100 for value in metrics.values())
    state = run.model.state_dict()
    assert any(not torch.equal(state[k], v) for k, v in before.items())
    # The super-resolution is no part of what is saved.
    assert list(state) == list(built(run.cfg).state_dict())
    _check_weights(run.model)


def _check_weights(model):
    """N 4; RB 2, FS 1, GR 1, normal 1."""
    if hasattr(model, 'level1'):
        first = model.level1.head.loss_module.pos_weight
        assert first == pytest.approx([1 / 3])
        second = model.level2.head.loss_module.pos_weight
        assert second[0] == pytest.approx(1 / 2)
        assert second[4] == second[11] == pytest.approx(2)
    else:
        weights = model.head.loss_module.pos_weight
        assert weights[0] == pytest.approx(1)
        assert weights[4] == weights[11] == pytest.approx(3)


def test_the_network_sees_the_same_frame_in_all_variants(root, tmp_path):
    seen = {}
    for kind in KINDS:
        cfg = load(FOLDER, 'xie_quick', kind)
        run = runner(cfg, root, tmp_path / kind)
        loader = run.build_dataloader(cfg.test_dataloader)
        batch = next(iter(loader))
        seen[kind] = run.model.data_preprocessor(batch)['inputs']
        size = (144, 176) if kind == 'hr' else (36, 44)
        assert batch['inputs'].shape[-2:] == size
    shapes = {tuple(x.shape) for x in seen.values()}
    assert shapes == {(2, 3, 144, 176)}
    # In the units of the network; a stage that shifted or scaled the values
    # would move the mean.
    means = [float(x.mean()) for x in seen.values()]
    assert max(means) - min(means) < 0.1
    assert float((seen['sr'] - seen['lr']).abs().mean()) > 0.01


@pytest.mark.parametrize('network', NETWORKS)
def test_other_sizes_of_files_fit_the_hr_config(network, root):
    """As exported small, bicubic or restored files are."""
    from mmpretrain.registry import DATASETS

    cfg = load(FOLDER, f'{network}_quick').test_dataloader.dataset
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        cfg.data_root = str(root)
        data = DATASETS.build(cfg)
        image = np.zeros((72, 88, 3), np.uint8)
        write_png(root / 'images/small/0.png', image)
        out = data.pipeline(
            dict(img_path=str(root / 'images/small/0.png'), gt_label=[0])
        )
    width, height = cfg.pipeline[1].scale
    assert out['inputs'].shape == (3, height, width)
