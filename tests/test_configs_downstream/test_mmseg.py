"""The segmentation configs: they build, agree, train and test."""

import copy

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope, init_default_scope
from variants import (
    CONFIGS,
    KINDS,
    check_files,
    check_restored,
    load,
    to_train,
)

from mmdsr.engine import launch
from mmdsr.io.images import write_png
from mmdsr.registry import MODELS

pytest.importorskip('mmseg')

from mmseg.registry import DATASETS

FOLDER = CONFIGS / 'mmseg'
NETWORKS = ('fcn', 'deeplabv3plus')
QUICK = to_train(*NETWORKS)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Three images per split of 256x256 in the layout of SewerSim."""
    root = tmp_path_factory.mktemp('sewersim-pipe')
    rng = np.random.default_rng(0)
    for split in ('train', 'test'):
        for label in (1, 2, 3):
            image = rng.integers(0, 90, (256, 256, 3), dtype=np.uint8)
            mask = np.zeros((256, 256), np.uint8)
            mask[40:140, 60:200] = label
            image[mask > 0, label - 1] = 250
            # Not to be counted, as at the border of a frame.
            mask[:4] = 255
            write_png(root / 'images' / split / f'{label}.png', image)
            write_png(root / 'masks' / split / f'{label}.png', mask)
    return root


def on(root, name, kind):
    cfg = load(FOLDER, name, kind)
    for key in ('train', 'val', 'test'):
        loader = cfg[f'{key}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.data_root = str(root)
    return cfg


def built(cfg, device='meta'):
    """A model, without values: for its parts and their sizes."""
    init_default_scope('mmseg')
    scope = DefaultScope.overwrite_default_scope('mmseg')
    with scope, torch.device(device):
        return MODELS.build(copy.deepcopy(cfg))


def test_all_configs_are_there():
    check_files(FOLDER, NETWORKS)


@pytest.mark.parametrize('network', NETWORKS)
def test_transforms_that_restore_the_image(network):
    check_restored(FOLDER, network)


@pytest.mark.parametrize('network', NETWORKS)
def test_paper_scale_is_the_host_network(network):
    cfg = load(FOLDER, network)
    assert cfg.model.pretrained == 'open-mmlab://resnet50_v1c'
    cfg.model.pretrained = None
    model = built(cfg.model)
    assert model.decode_head.num_classes == 4
    assert model.auxiliary_head.num_classes == 4
    parameters = sum(p.numel() for p in model.parameters()) / 1e6
    # mmseg's r50-d8 have 49.5 and 43.6 with the auxiliary head.
    assert 40 < parameters < 52


@pytest.mark.parametrize('network', NETWORKS)
def test_quick_configs_are_small_and_end_with_their_schedule(network):
    cfg = load(FOLDER, f'{network}_quick')
    assert cfg.model.pretrained is None
    assert cfg.param_scheduler[-1].end == cfg.train_cfg.max_iters
    assert cfg.train_dataloader.dataset.data_root == 'data/sewersim-pipe'
    assert cfg.train_dataloader.num_workers == 0
    parameters = sum(p.numel() for p in built(cfg.model).parameters())
    assert 2e5 < parameters < 2e6


@pytest.mark.parametrize(('name', 'kind'), QUICK)
def test_a_quick_config_trains_and_tests(name, kind, root, tmp_path):
    cfg = on(root, name, kind)
    cfg.train_cfg.update(max_iters=1, val_interval=2)
    cfg.train_dataloader.batch_size = 2
    cfg.work_dir, cfg.launcher = str(tmp_path), 'none'
    cfg.experiment_name = tmp_path.name
    cfg.log_level = 'WARNING'
    for key in ('val_dataloader', 'val_cfg', 'val_evaluator'):
        cfg[key] = None
    before = built(cfg.model, 'cpu').state_dict()
    model = launch.train(cfg)
    state = model.state_dict()
    # The super-resolution is no part of what is saved.
    assert list(state) == list(before)
    assert all(value.isfinite().all() for value in state.values())
    # The folder's only checkpoint.
    metrics = launch.test(cfg, tmp_path)
    codes = {f'IoU/{code}' for code in ('JO', 'IL', 'IN', 'mean', 'mean_all')}
    assert codes <= set(metrics)
    assert all(0 <= metrics[code] <= 100 for code in codes)


def test_masks_stay_in_the_frame_of_the_large_image(root):
    seen = {}
    for kind in KINDS:
        for size in ('', '_quick'):
            cfg = on(root, f'fcn{size}', kind)
            cfg.model.pretrained = None
            if kind == 'sr':
                # Without a training; small, as its pixels do not matter.
                cfg.model.data_preprocessor.sr = dict(weights='dsrnet_student')
            preprocessor = built(cfg.model.data_preprocessor, 'cpu')
            dataset = cfg.train_dataloader.dataset
            with DefaultScope.overwrite_default_scope('mmseg'):
                item = DATASETS.build(dataset)[0]
            side = 256 if kind == 'hr' else 64
            assert item['inputs'].shape == (3, side, side)
            batch = dict(
                inputs=[item['inputs']], data_samples=[item['data_samples']]
            )
            out = preprocessor(batch, training=True)
            assert out['inputs'].shape == (1, 3, 256, 256)
            mask = out['data_samples'][0].gt_sem_seg.data
            assert mask.shape == (1, 256, 256)
            assert set(mask.unique().tolist()) <= {0, 1, 255}
            if size:
                seen[kind] = out['inputs'].mean()
    # In the units of the network: a stage that scaled the values would show.
    values = torch.stack(list(seen.values()))
    assert values.max() - values.min() < 0.05
