"""Boxes that masks_to_coco makes, in stock mmdetection."""

import numpy as np
import pytest
from mmengine.registry import DefaultScope
from pipe_cases import documented_datasets, make_pipe, read, save

from mmdsr.converters.masks_to_coco import masks_to_coco

pytest.importorskip('mmdet')

from mmdet.registry import DATASETS
from mmdet.visualization import DetLocalVisualizer

(CONFIG,) = documented_datasets('mmdet')


def test_in_mmdet(tmp_path):
    root = make_pipe(tmp_path / 'pipe')
    empty = root / 'masks' / 'train' / 'pipe2_0001.png'
    save(empty, np.zeros_like(read(empty)))
    masks_to_coco(
        root / 'images' / 'train',
        root / 'masks' / 'train',
        root / CONFIG['ann_file'],
    )
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = DATASETS.build({**CONFIG, 'data_root': str(root)})
        samples = [item['data_samples'] for item in dataset]
    expected = [
        [(0, [4, 2, 16, 10], 96), (2, [30, 20, 40, 28], 80)],
        [(1, [4, 2, 16, 10], 96), (2, [30, 20, 40, 28], 80)],
        [],
    ]
    for sample, instances in zip(samples, expected, strict=True):
        truth = sample.gt_instances
        areas = truth.masks.masks.sum((1, 2))
        found = zip(truth.labels, truth.bboxes.tensor, areas, strict=True)
        assert [
            (int(label), box.tolist(), int(area)) for label, box, area in found
        ] == instances
    # As mmdet's browse_dataset.py does.
    truth = samples[1].gt_instances
    truth.bboxes = truth.bboxes.tensor
    visualizer = DetLocalVisualizer()
    visualizer.dataset_meta = dataset.metainfo
    black = np.zeros((32, 48, 3), np.uint8)
    out = tmp_path / 'drawn.png'
    visualizer.add_datasample(
        'gt', black, samples[1], draw_pred=False, out_file=str(out)
    )
    drawn = read(out).any(axis=2)
    assert drawn[2:10, 4:16].all()
    assert drawn[20:28, 30:40].all()
    assert not drawn[16:19, 2:20].any()
