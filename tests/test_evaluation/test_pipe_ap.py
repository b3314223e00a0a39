"""Average precision per class against cases worked by hand."""

import json
import math

import pytest
import torch

pytest.importorskip('mmdet')

from mmdsr.evaluation.pipe_ap import PipeAPMetric
from mmdsr.registry import METRICS

CLASSES = ('JO', 'IL', 'IN')


def sample(number, truth=(), found=()):
    """Return an image with ``(label, box)`` and ``(label, score, box)``."""
    boxes = [box for _, _, box in found]
    return dict(
        img_id=number,
        ori_shape=(100, 100),
        instances=[
            dict(bbox=list(box), bbox_label=label, ignore_flag=0)
            for label, box in truth
        ],
        pred_instances=dict(
            bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            scores=torch.tensor([score for _, score, _ in found]),
            labels=torch.tensor([label for label, _, _ in found]).long(),
        ),
    )


def evaluate(samples, metainfo=None, **kwargs):
    metric = METRICS.build(dict(type='mmdsr.PipeAPMetric', **kwargs))
    metric.dataset_meta = metainfo or dict(classes=CLASSES)
    for one in samples:
        metric.process({}, [one])
    return metric.evaluate(len(samples))


def test_by_hand():
    """JO: hit, miss, hit of three boxes. IL: one hit at an IoU of 0.6."""
    far = (60, 60, 90, 90)
    samples = [
        sample(
            7,
            [(0, (0, 0, 40, 40)), (1, (50, 50, 60, 60))],
            [
                (0, 0.9, (0, 0, 40, 40)),
                (0, 0.8, far),
                (1, 0.7, (50, 50, 60, 56)),
            ],
        ),
        sample(3, [(0, (10, 10, 50, 50))], [(0, 0.6, (10, 10, 50, 50))]),
        sample(9, [(0, (20, 20, 30, 30))]),
    ]
    found = evaluate(samples)
    # Precision 1 up to recall 1/3 (34 of the 101 points 0, 0.01, ... 1),
    # 2/3 up to 2/3 (33 points), then nothing.
    jo = (34 + 33 * 2 / 3) / 101 * 100
    assert found['AP50/JO'] == pytest.approx(jo)
    # Both hits are exact, so the IoU asked for does not matter.
    assert found['AP/JO'] == pytest.approx(jo)
    # A hit at 0.5, 0.55 and 0.6 of ten IoUs.
    assert found['AP50/IL'] == pytest.approx(100)
    assert found['AP/IL'] == pytest.approx(30)
    # Nobody can find what is not there.
    assert math.isnan(found['AP50/IN'])
    assert math.isnan(found['AP/IN'])
    assert found['AP50/mean'] == pytest.approx((jo + 100) / 2)
    assert found['AP/mean'] == pytest.approx((jo + 30) / 2)
    assert set(found) == {
        f'{metric}/{name}'
        for metric in ('AP50', 'AP')
        for name in (*CLASSES, 'mean')
    }


def test_each_class_has_its_own_value():
    truth = [(label, (10, 10, 40, 40)) for label in range(3)]
    for label, name in enumerate(CLASSES):
        found = evaluate([sample(1, truth, [(label, 0.5, (10, 10, 40, 40))])])
        values = [found[f'AP50/{other}'] for other in CLASSES]
        assert values == pytest.approx(
            [100 if other == name else 0 for other in CLASSES]
        )


def test_false_alarms_of_a_class_without_truth():
    samples = [
        sample(1, [(0, (0, 0, 9, 9))], [(0, 0.4, (0, 0, 9, 9))]),
        sample(2, [], [(2, 0.9, (0, 0, 9, 9))]),
    ]
    found = evaluate(samples)
    assert found['AP50/mean'] == pytest.approx(100)
    assert math.isnan(found['AP50/IN'])


@pytest.mark.parametrize(('count', 'share'), [(1, 0), (2, 1)])
def test_number_of_detections_that_count(count, share):
    """The hit is the second best of an image."""
    box, far = (0, 0, 40, 40), (60, 60, 90, 90)
    one = sample(1, [(0, box)], [(0, 0.9, far), (0, 0.8, box)])
    found = evaluate([one], max_dets=count)
    assert found['AP50/JO'] == pytest.approx(50 * share)


def test_no_detection_gives_zero():
    found = evaluate([sample(1, [(0, (0, 0, 9, 9))]), sample(2)])
    assert found['AP50/JO'] == found['AP50/mean'] == found['AP/mean'] == 0


def test_ap_without_ground_truth_is_nan():
    found = evaluate([sample(1), sample(2, [], [(0, 0.5, (0, 0, 9, 9))])])
    assert all(math.isnan(value) for value in found.values())


def test_codes_name_the_classes():
    metainfo = dict(classes=('joint offset', 'lateral'), codes=('JO', 'IL'))
    found = evaluate([sample(1, [(1, (0, 0, 9, 9))])], metainfo)
    assert found['AP50/IL'] == 0
    assert math.isnan(found['AP50/JO'])


def test_evaluates_again():
    """Validation runs many times with one metric."""
    metric = PipeAPMetric()
    metric.dataset_meta = dict(classes=CLASSES)
    near, far = (0, 0, 9, 9), (50, 50, 60, 60)
    for truth, found in ((near, near), (far, far), (far, near)):
        metric.process({}, [sample(1, [(0, truth)], [(0, 0.5, found)])])
        wanted = 100 if truth == found else 0
        assert metric.evaluate(1)['AP50/JO'] == pytest.approx(wanted)


def write_coco(path, names):
    path.write_text(
        json.dumps(
            dict(
                images=[dict(id=4, width=100, height=100, file_name='a.png')],
                categories=[
                    dict(id=number, name=name)
                    for number, name in enumerate(names, 1)
                ],
                annotations=[
                    dict(
                        id=1,
                        image_id=4,
                        category_id=2,
                        bbox=[10, 10, 20, 20],
                        area=400,
                        iscrowd=0,
                    )
                ],
            )
        )
    )
    return str(path)


def test_truth_of_a_file(tmp_path):
    file = write_coco(tmp_path / 'test.json', CLASSES)
    one = sample(4, [], [(1, 0.5, (10, 10, 30, 30))])
    del one['instances']
    prefix = tmp_path / 'found'
    found = evaluate([one], ann_file=file, outfile_prefix=str(prefix))
    assert found['AP50/IL'] == found['AP/mean'] == pytest.approx(100)
    (kept,) = json.loads((tmp_path / 'found.bbox.json').read_text())
    assert (kept['image_id'], kept['category_id']) == (4, 2)
    assert kept['bbox'] == [10, 10, 20, 20]


def test_order_of_the_classes_must_be_that_of_the_file(tmp_path):
    """mmdet would count lateral as joint without a word."""
    file = write_coco(tmp_path / 'test.json', ('IL', 'JO', 'IN'))
    with pytest.raises(ValueError, match='in the order of the file'):
        evaluate([sample(4)], ann_file=file)


def test_truth_is_missing():
    one = sample(1)
    del one['instances']
    with pytest.raises(KeyError, match='meta_keys'):
        evaluate([one])
