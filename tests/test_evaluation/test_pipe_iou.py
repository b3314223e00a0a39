"""IoU per class against masks worked by hand."""

import math

import pytest
import torch

pytest.importorskip('mmseg')

from mmdsr.datasets.pipe_seg import PipeSegDataset
from mmdsr.registry import METRICS


def evaluate(pairs, meta=None, **kwargs):
    metric = METRICS.build(dict(type='mmdsr.PipeIoUMetric', **kwargs))
    metric.dataset_meta = meta or PipeSegDataset.METAINFO
    for pred, truth in pairs:
        sample = dict(
            pred_sem_seg=dict(data=torch.tensor([pred])),
            gt_sem_seg=dict(data=torch.tensor([truth])),
        )
        metric.process({}, [sample])
    return metric.evaluate(len(pairs))


def test_two_images_worked_by_hand():
    first = ([[0, 0, 1], [1, 2, 0]], [[0, 0, 1], [1, 2, 2]])
    second = ([[1, 1, 0], [0, 0, 0]], [[1, 3, 3], [0, 0, 0]])
    metrics = evaluate([first, second])
    # Over both: background pred 3 + 4, truth 2 + 3, right 2 + 3: 5 / 7.
    # JO: pred 2 + 2, truth 2 + 1, right 2 + 1: 3 / 4.
    # IL: pred 1, truth 2, right 1: 1 / 2. IN: pred 0, truth 2: 0.
    assert metrics['IoU/JO'] == pytest.approx(75)
    assert metrics['IoU/IL'] == pytest.approx(50)
    assert metrics['IoU/IN'] == 0
    assert metrics['IoU/mean'] == pytest.approx(125 / 3)
    assert metrics['IoU/mean_all'] == pytest.approx((125 + 500 / 7) / 4)
    # mmseg's own, which rounds.
    assert metrics['mIoU'] == pytest.approx(metrics['IoU/mean_all'], abs=0.01)


def test_pixels_of_all_images_count_alike():
    """One union over the set, not a mean of images."""
    large = ([[1] * 9], [[1] * 9])
    small = ([[0] * 8 + [1]], [[1] * 9])
    assert evaluate([large, small])['IoU/JO'] == pytest.approx(100 * 10 / 18)


def test_ignored_pixels_and_a_class_that_is_nowhere():
    metrics = evaluate([([[1, 1, 2, 0]], [[1, 255, 2, 255]])])
    assert (metrics['IoU/JO'], metrics['IoU/IL']) == (100, 100)
    assert math.isnan(metrics['IoU/IN'])
    assert metrics['IoU/mean'] == 100
    # Predicted somewhere, it counts with 0.
    metrics = evaluate([([[1, 3]], [[1, 1]])])
    assert metrics['IoU/IN'] == 0
    assert metrics['IoU/mean'] == pytest.approx(25)


def test_classes_of_other_sets_go_by_their_names():
    meta = dict(classes=('infiltration', 'background', 'roots'))
    metrics = evaluate([([[0, 1, 2, 2]], [[0, 1, 1, 2]])], meta)
    assert metrics['IoU/IN'] == 100
    assert metrics['IoU/roots'] == 50
    assert metrics['IoU/mean'] == 75
    assert metrics['IoU/mean_all'] == pytest.approx(200 / 3)
    assert 'IoU/background' not in metrics


def test_masks_may_be_written_only(tmp_path):
    metric = METRICS.build(
        dict(
            type='mmdsr.PipeIoUMetric',
            format_only=True,
            output_dir=str(tmp_path),
        )
    )
    metric.dataset_meta = PipeSegDataset.METAINFO
    sample = dict(
        pred_sem_seg=dict(data=torch.tensor([[[1, 2]]])), img_path='a/x.jpg'
    )
    metric.process({}, [sample])
    assert metric.evaluate(1) == {}
    assert (tmp_path / 'x.png').is_file()


def test_single_pixels_count_among_many():
    """float32 cannot count beyond 2^24 one by one."""
    metric = METRICS.build(dict(type='mmdsr.PipeIoUMetric'))
    metric.dataset_meta = PipeSegDataset.METAINFO
    classes = torch.eye(4)[1]
    large = 2**24 * classes
    # Intersection, union, prediction, label: 8 pixels more in the union.
    results = [(large, large, large, large)]
    results += [(0 * classes, classes, 0 * classes, classes)] * 8
    metrics = metric.compute_metrics(results)
    expected = 100 * 2**24 / (2**24 + 8)
    assert metrics['IoU/JO'] == pytest.approx(expected, rel=1e-9)
    assert metrics['IoU/JO'] < 100
