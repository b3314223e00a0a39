"""The hosts read the data sets and draw what was written."""

from pathlib import Path

import numpy as np
import pytest
from fake_run import make, tiny_plan
from mmengine.registry import DefaultScope
from PIL import Image

from mmdsr.registry import DATASETS

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp('hosts')
    for layout in ('pipe', 'multilabel'):
        plan = tiny_plan(layout, frames=(0, 6), size=(128, 96))
        make(root / layout, plan)
    return root


def read(path):
    return np.array(Image.open(path))


def shown(item):
    """The image of an item as RGB."""
    image = item['inputs'].numpy().transpose(1, 2, 0)[..., ::-1]
    return np.ascontiguousarray(image)


def test_mmdetection(root, tmp_path):
    pytest.importorskip('mmdet')
    from mmdet.registry import DATASETS as MMDET_DATASETS
    from mmdet.registry import VISUALIZERS

    with DefaultScope.overwrite_default_scope('mmdet'):
        data = MMDET_DATASETS.build(
            dict(
                type='CocoDataset',
                data_root=str(root / 'pipe'),
                ann_file='annotations/train.json',
                data_prefix=dict(img='images/train/'),
                metainfo=dict(classes=('JO', 'IL', 'IN')),
                pipeline=[
                    dict(type='LoadImageFromFile'),
                    dict(
                        type='LoadAnnotations', with_bbox=True, with_mask=True
                    ),
                    dict(type='PackDetInputs'),
                ],
            )
        )
        assert len(data) == 4
        item = data[1]
        sample = item['data_samples']
        truth = sample.gt_instances
        name = Path(sample.img_path).name
        mask = read(root / 'pipe/masks/train' / name)
        assert truth.labels.tolist() == [0, 2]  # JO and IN
        truth.bboxes = truth.bboxes.tensor  # as mmdet's browse_dataset.py
        for label, box, part in zip(
            truth.labels, truth.bboxes, truth.masks.masks, strict=True
        ):
            np.testing.assert_array_equal(part > 0, mask == int(label) + 1)
            row, col = np.nonzero(part)
            expected = [col.min(), row.min(), col.max() + 1, row.max() + 1]
            assert box.tolist() == expected
        assert len(data[2]['data_samples'].gt_instances) == 0
        visualizer = VISUALIZERS.build(
            dict(type='DetLocalVisualizer', name='sim_det')
        )
        visualizer.dataset_meta = data.metainfo
        image = shown(item)
        out = tmp_path / 'det.png'
        visualizer.add_datasample(
            'one', image, sample, draw_pred=False, out_file=str(out)
        )
    changed = (read(out) != image).any(-1)
    assert changed[mask > 0].mean() > 0.9
    assert changed.mean() < 0.5


def test_mmsegmentation(root, tmp_path):
    pytest.importorskip('mmseg')
    from mmseg.registry import VISUALIZERS

    with DefaultScope.overwrite_default_scope('mmseg'):
        data = DATASETS.build(
            dict(
                type='mmdsr.PipeSegDataset',
                data_root=str(root / 'pipe'),
                data_prefix=dict(
                    img_path='images/train', seg_map_path='masks/train'
                ),
                pipeline=[
                    dict(type='LoadImageFromFile'),
                    dict(type='LoadAnnotations'),
                    dict(type='PackSegInputs'),
                ],
            )
        )
        assert len(data) == 4
        item = data[1]
        sample = item['data_samples']
        mask = read(root / 'pipe/masks/train' / Path(sample.img_path).name)
        found = sample.gt_sem_seg.data.numpy()[0]
        np.testing.assert_array_equal(found, mask)
        assert set(np.unique(found)) == {0, 1, 3}
        visualizer = VISUALIZERS.build(
            dict(type='SegLocalVisualizer', name='sim_seg', alpha=0.9)
        )
        visualizer.dataset_meta = data.metainfo
        image = shown(item)
        out = tmp_path / 'seg.png'
        visualizer.add_datasample(
            'one',
            image,
            sample,
            draw_pred=False,
            with_labels=False,
            out_file=str(out),
        )
    drawn = read(out)
    for number in (1, 3):
        color = drawn[mask == number].mean(0)
        palette = np.array(data.metainfo['palette'][number])
        assert np.abs(color - palette).max() < 40


def test_mmpretrain(root, tmp_path):
    pytest.importorskip('mmpretrain')
    from mmpretrain.registry import VISUALIZERS

    with DefaultScope.overwrite_default_scope('mmpretrain'):
        data = DATASETS.build(
            dict(
                type='mmdsr.SewerMLDataset',
                ann_file='train.csv',
                data_root=str(root / 'multilabel'),
                data_prefix='images/train',
                pipeline=[
                    dict(type='LoadImageFromFile'),
                    dict(type='PackInputs'),
                ],
            )
        )
        assert len(data) == 4
        classes = data.metainfo['classes']
        names = [
            [classes[i] for i in data[n]['data_samples'].gt_label]
            for n in range(4)
        ]
        assert names == [['RB', 'GR'], ['RB', 'GR'], [], []]
        item = data[0]
        visualizer = VISUALIZERS.build(
            dict(type='UniversalVisualizer', name='sim_cls')
        )
        image = shown(item)
        out = tmp_path / 'cls.png'
        visualizer.visualize_cls(
            image, item['data_samples'], classes=classes, out_file=str(out)
        )
    assert (read(out) != image).any()
