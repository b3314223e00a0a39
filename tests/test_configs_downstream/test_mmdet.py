"""The detection configs: they build, agree, train and test."""

import copy
import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
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

from mmdsr.io.images import write_png
from mmdsr.registry import MODELS

pytest.importorskip('mmdet')

from mmdet.registry import DATASETS
from mmdet.structures.bbox import get_box_tensor

FOLDER = CONFIGS / 'mmdet'
NETWORKS = ('ssd300', 'yolov5s')
QUICK = to_train(*NETWORKS)
#: Category, x, y, width, height of each image; one is without a defect.
BOXES = [
    [(1, 20, 30, 120, 100), (2, 200, 180, 30, 40)],
    [(3, 60, 10, 50, 140)],
    [],
    [(1, 100, 90, 90, 80)],
]


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Four images of 256x256 in the layout of SewerSim."""
    root = tmp_path_factory.mktemp('sewersim-pipe')
    (root / 'annotations').mkdir()
    rng = np.random.default_rng(0)
    for split in ('train', 'test'):
        images, annotations = [], []
        for number, boxes in enumerate(BOXES, 1):
            name = f'{split}{number}.png'
            image = rng.integers(0, 90, (256, 256, 3), dtype=np.uint8)
            for category, x, y, width, height in boxes:
                image[y : y + height, x : x + width, category - 1] = 250
                annotations.append(
                    dict(
                        id=len(annotations) + 1,
                        image_id=number,
                        category_id=category,
                        bbox=[x, y, width, height],
                        area=width * height,
                        iscrowd=0,
                    )
                )
            write_png(root / 'images' / split / name, image)
            images.append(
                dict(id=number, file_name=name, width=256, height=256)
            )
        categories = [
            dict(id=i, name=name)
            for i, name in enumerate(('JO', 'IL', 'IN'), 1)
        ]
        (root / 'annotations' / f'{split}.json').write_text(
            json.dumps(
                dict(
                    images=images,
                    annotations=annotations,
                    categories=categories,
                )
            )
        )
    return root


def built(cfg):
    """The model, without values: for its parts and their sizes."""
    scope = DefaultScope.overwrite_default_scope('mmdet')
    with scope, torch.device('meta'):
        return MODELS.build(copy.deepcopy(cfg.model))


def inner(dataset):
    """The data set itself, if a wrapper mixes its images."""
    return dataset.get('dataset', dataset)


def runner(cfg, root, folder):
    for key in ('train', 'val', 'test'):
        loader = cfg[f'{key}_dataloader']
        loader.update(num_workers=0, persistent_workers=False, batch_size=2)
        inner(loader.dataset).data_root = str(root)
    # Tested by the test loop only.
    cfg.train_cfg.update(max_iters=1, val_interval=2)
    cfg.default_hooks.logger.interval = 1
    cfg.work_dir = str(folder)
    cfg.experiment_name = folder.name
    cfg.log_level = 'WARNING'
    return Runner.from_cfg(cfg)


def test_all_configs_are_there():
    check_files(FOLDER, NETWORKS)


@pytest.mark.parametrize('network', NETWORKS)
def test_transforms_that_restore_the_image(network):
    check_restored(FOLDER, network)


def test_yolov5s_has_the_published_size():
    model = built(load(FOLDER, 'yolov5s'))
    assert sum(p.numel() for p in model.parameters()) == 7_068_936


def bare(value):
    """A setting without what says where its parts come from."""
    if isinstance(value, dict):
        skip = ('_scope_', 'backend_args', 'meta_keys')
        return {k: bare(v) for k, v in value.items() if k not in skip}
    if isinstance(value, (list, tuple)):
        return [bare(part) for part in value]
    return value


def test_ssd300_is_that_of_mmdet(tmp_path):
    """Network, augmentation and schedule, with our data and classes."""
    (tmp_path / 'host.py').write_text("_base_ = 'mmdet::ssd/ssd300_coco.py'\n")
    host, own = Config.fromfile(tmp_path / 'host.py'), load(FOLDER, 'ssd300')
    # Except for the head's ability to predict.
    host.model.bbox_head.update(type='mmdsr.SSDHead', num_classes=3)
    assert bare(own.model) == bare(host.model)
    assert bare(own.optim_wrapper) == bare(host.optim_wrapper)
    theirs = host.train_dataloader.dataset
    assert bare(own.train_dataloader.dataset.pipeline) == bare(
        theirs.dataset.pipeline
    )
    assert bare(own.test_pipeline) == bare(host.test_pipeline)
    assert own.train_cfg.max_epochs == (
        theirs.times * host.train_cfg.max_epochs
    )
    assert built(own).bbox_head.num_classes == 3


@pytest.mark.parametrize('network', NETWORKS)
def test_quick_configs(network):
    cfg = load(FOLDER, f'{network}_quick')
    # Nothing is downloaded, and the schedule ends with the run.
    assert cfg.model.backbone.get('init_cfg') is None
    (schedule,) = cfg.param_scheduler
    assert schedule.total_steps == cfg.train_cfg.max_iters
    assert inner(cfg.train_dataloader.dataset).data_root == (
        'data/sewersim-pipe'
    )
    parameters = sum(p.numel() for p in built(cfg).parameters())
    assert parameters < 2e6


@pytest.mark.parametrize(('name', 'kind'), QUICK)
def test_a_quick_config_trains_and_tests(name, kind, root, tmp_path):
    run = runner(load(FOLDER, name, kind), root, tmp_path)
    before = {k: v.clone() for k, v in run.model.state_dict().items()}
    run.train()
    metrics = run.test()
    assert set(metrics) == {
        f'{metric}/{code}'
        for metric in ('AP50', 'AP')
        for code in ('JO', 'IL', 'IN', 'mean')
    }
    assert all(0 <= value <= 100 for value in metrics.values())
    state = run.model.state_dict()
    assert any(not torch.equal(state[k], v) for k, v in before.items())
    # The super-resolution is no part of what is saved.
    hr = built(load(FOLDER, name))
    assert list(state) == list(hr.state_dict())
    assert all(value.isfinite().all() for value in state.values())


@pytest.mark.parametrize('network', NETWORKS)
@pytest.mark.parametrize('size', ['', '_quick'])
def test_augmentation_is_the_same_in_all_variants(network, size, root):
    """Boxes belong to the large image, which becomes small at the end."""
    side = 300 if network == 'ssd300' else 256
    items = {}
    for kind in ('hr', 'sr'):
        cfg = load(FOLDER, f'{network}{size}', kind)
        cfg = cfg.train_dataloader.dataset
        inner(cfg).data_root = str(root)
        with DefaultScope.overwrite_default_scope('mmdet'):
            dataset = DATASETS.build(cfg)
        # Images without a defect are not left out.
        assert len(dataset) == 4
        np.random.seed(0)
        items[kind] = [dataset[i] for i in range(4)]
    for large, small in zip(items['hr'], items['sr'], strict=True):
        assert large['inputs'].shape == (3, side, side)
        assert small['inputs'].shape == (3, side // 4, side // 4)
        boxes = [
            get_box_tensor(item['data_samples'].gt_instances.bboxes)
            for item in (large, small)
        ]
        torch.testing.assert_close(*boxes)
        assert tuple(small['data_samples'].img_shape) == (side, side)
        # The same picture: means of 4x4 pixels differ little from it.
        means = large['inputs'].float().unfold(1, 4, 4).unfold(2, 4, 4)
        error = means.mean((3, 4)) - small['inputs'].float()
        assert error.abs().mean() < 6
    total = sum(len(item['data_samples'].gt_instances) for item in items['hr'])
    assert total > 1


@pytest.mark.parametrize('network', NETWORKS)
def test_boxes_stay_in_the_frame_of_the_large_image(network, root, tmp_path):
    seen, boxes = {}, {}
    side = 300 if network == 'ssd300' else 256
    for kind in KINDS:
        cfg = load(FOLDER, f'{network}_quick', kind)
        run = runner(cfg, root, tmp_path / kind)
        batch = next(iter(run.build_dataloader(cfg.test_dataloader)))
        small = side if kind == 'hr' else side // 4
        assert batch['inputs'][0].shape == (3, small, small)
        out = run.model.data_preprocessor(batch, training=True)
        seen[kind] = out['inputs']
        sample = out['data_samples'][0]
        assert tuple(sample.img_shape) == (side, side)
        assert sample.scale_factor == pytest.approx((side / 256,) * 2)
        boxes[kind] = get_box_tensor(sample.gt_instances.bboxes)
    wanted = torch.tensor([[20.0, 30, 140, 130], [200, 180, 230, 220]])
    for kind in KINDS:
        assert seen[kind].shape == (2, 3, side, side)
        # In a test those of the file: predictions go back to it.
        torch.testing.assert_close(boxes[kind], wanted)
    # In the units of the network; a stage that shifted or scaled the values
    # would move the mean.
    means = [float(x.mean()) for x in seen.values()]
    spread = float(seen['hr'].std())
    assert max(means) - min(means) < 0.05 * spread
    assert float((seen['sr'] - seen['lr']).abs().mean()) > 0.01 * spread
