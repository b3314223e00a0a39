import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator

from mmdsr.datasets.sewer_ml_csv import CIW, LABEL_SETS
from mmdsr.evaluation import f1_normal, f2_ciw, f_scores
from mmdsr.registry import METRICS

# Five images, classes RB, FS, AF, FO:
#   RB  truth 0 1 2 3, predicted 0 1 4: N_g 4, N_p 3, N_c 2; P 2/3, R 1/2
#   FS  truth 0, predicted none: N_p taken as 1, all 0
#   AF  no truth, predicted 2 3: no recall, 0
#   FO  no truth, none predicted: 0
CODES = ('RB', 'FS', 'AF', 'FO')
TRUTH = np.array(
    [[1, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]],
    bool,
)
PREDICTED = np.array(
    [[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0], [1, 0, 0, 0]],
    bool,
)
F1_RB = 2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2)  # 4/7
F2_RB = 5 * (2 / 3) * (1 / 2) / (4 * 2 / 3 + 1 / 2)  # 10/19


def evaluate(predicted, truth, classes, scored=False, **options):
    """Run the metric as the evaluator does, in batches of two."""
    metric = METRICS.build(dict(type='mmdsr.SewerMLMetric', **options))
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = dict(classes=classes)
    samples = []
    for found, there in zip(predicted, truth, strict=True):
        sample = dict(pred_score=torch.tensor(np.where(found, 0.5, 0.49)))
        if scored:
            sample['gt_score'] = torch.tensor(there).float()
        else:
            sample['gt_label'] = torch.tensor(np.flatnonzero(there))
        samples.append(sample)
    for start in range(0, len(samples), 2):
        evaluator.process(samples[start : start + 2])
    return evaluator.evaluate(len(samples))


def test_f_scores_worked_by_hand():
    assert pytest.approx(4 / 7) == F1_RB
    assert pytest.approx(10 / 19) == F2_RB
    np.testing.assert_allclose(f_scores(PREDICTED, TRUTH), [F1_RB, 0, 0, 0])
    np.testing.assert_allclose(f_scores(PREDICTED, TRUTH, 2), [F2_RB, 0, 0, 0])


def test_f_scores_agree_with_counting_errors():
    """(1 + b^2) TP / ((1 + b^2) TP + b^2 FN + FP), image by image."""
    rng = np.random.default_rng(0)
    truth = rng.random((200, 6)) < [0.5, 0.2, 0.1, 0.02, 0.9, 0]
    predicted = truth ^ (rng.random(truth.shape) < 0.2)
    predicted[:, 2] = False
    for beta in (1, 2):
        expected = []
        for column in range(6):
            pairs = list(
                zip(predicted[:, column], truth[:, column], strict=True)
            )
            hits = (1 + beta**2) * pairs.count((True, True))
            lost, false = (
                pairs.count((False, True)),
                pairs.count((True, False)),
            )
            total = hits + beta**2 * lost + false
            expected.append(hits / total if total else 0)
        assert expected[2] == expected[5] == 0
        assert min(expected[:2]) > 0
        np.testing.assert_allclose(f_scores(predicted, truth, beta), expected)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r'\(5, 3\) and \(5, 4\)'):
        f_scores(PREDICTED[:, :3], TRUTH)


def test_f2_ciw_weighs_by_importance():
    # (0.5 * 1 + 1 * 0.0811) / (1 + 0.0811)
    assert f2_ciw([0.5, 1], ('RB', 'AF')) == pytest.approx(0.5811 / 1.0811)
    # All of the benchmark: its weights sum up to 6.7024.
    f2 = [code == 'OS' for code in LABEL_SETS['17']]
    assert sum(CIW.values()) == pytest.approx(6.7024)
    assert f2_ciw(f2, LABEL_SETS['17']) == pytest.approx(0.9009 / 6.7024)
    with pytest.raises(KeyError, match='JO'):
        f2_ciw([1.0], ('JO',))


def test_f1_normal_is_the_absence_of_all():
    # Normal: image 4 only; none is predicted so.
    assert f1_normal(PREDICTED, TRUTH) == 0
    # Predicted normal: 1, 2, 3, 4 of which 4 is right: P 1/4, R 1.
    predicted = PREDICTED.copy()
    predicted[1:] = False
    assert f1_normal(predicted, TRUTH) == pytest.approx(0.4)
    # Without a normal image there is no recall.
    assert f1_normal(predicted[:4], TRUTH[:4]) == 0


@pytest.mark.parametrize('scored', [False, True])
def test_the_metric_leaves_absent_classes_out(scored):
    found = evaluate(PREDICTED, TRUTH, CODES, scored)
    assert found == pytest.approx(
        {
            'F1/RB': 100 * F1_RB,
            'F1/FS': 0,
            'F1/mean': 50 * F1_RB,
            # FS weighs 0.6419.
            'F2CIW-2': 100 * F2_RB / 1.6419,
            'F1Normal': 0,
        }
    )


def test_absent_classes_as_in_the_benchmark():
    found = evaluate(PREDICTED, TRUTH, CODES, absent='zero')
    assert found['F1/AF'] == found['F1/FO'] == 0
    assert found['F1/mean'] == pytest.approx(25 * F1_RB)
    weights = 1 + 0.6419 + 0.0811 + 0.2477
    assert found['F2CIW-4'] == pytest.approx(100 * F2_RB / weights)


@pytest.mark.parametrize(
    ('label_set', 'name'), [('17', 'F2CIW'), ('15', 'F2CIW-15')]
)
def test_only_the_17_classes_give_the_benchmark_s_name(label_set, name):
    codes = LABEL_SETS[label_set]
    truth = np.eye(len(codes), dtype=bool)
    found = evaluate(truth, truth, codes)
    assert {key for key in found if key.startswith('F2')} == {name}
    assert found[name] == found['F1/mean'] == 100
    # As the paper's mean: that of the rows of its tables.
    rows = [found[f'F1/{code}'] for code in codes]
    assert found['F1/mean'] == np.mean(rows)


def test_false_alarms_for_an_absent_class_are_not_normal():
    truth = np.array([[1, 0], [0, 0]], bool)
    found = evaluate(np.array([[1, 0], [0, 1]], bool), truth, ('RB', 'PF'))
    assert found['F1Normal'] == 0
    assert 'F1/PF' not in found
    assert evaluate(truth, truth, ('RB', 'PF'))['F1Normal'] == 100


def test_the_defect_label_set():
    truth = np.array([[1], [0], [0]], bool)
    predicted = np.array([[1], [0], [1]], bool)
    found = evaluate(predicted, truth, LABEL_SETS['defect'])
    assert set(found) == {'F1/Defect', 'F1/mean', 'F1Normal'}
    assert found['F1/Defect'] == found['F1Normal'] == pytest.approx(200 / 3)


def test_wrong_use_is_explained():
    with pytest.raises(ValueError, match='label_set'):
        evaluate(PREDICTED, TRUTH, CODES[:3])
    with pytest.raises(ValueError, match='No image'):
        evaluate(PREDICTED, np.zeros_like(TRUTH), CODES)
    with pytest.raises(ValueError, match='absent'):
        evaluate(PREDICTED, TRUTH, CODES, absent='ignore')
