"""Shares of pixels that are matched, against a loop."""

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator

from mmdsr.evaluation.match_accuracy import (
    MatchAccuracy,
    match_accuracy,
    match_errors,
)

NAMES = ['Match@0.25', 'Match@0.5', 'Match@1', 'Match@2', 'EPE-median']


def sample(seed, size=(6, 8)):
    generator = torch.Generator().manual_seed(seed)
    truth = 5 * torch.randn(2, *size, generator=generator)
    found = truth + torch.randn(2, *size, generator=generator)
    visible = (torch.rand(1, *size, generator=generator) < 0.7).float()
    return dict(output=dict(pred_flow=found), flow=truth, visible=visible)


def by_loop(samples):
    errors = []
    for one in samples:
        found, truth = one['output']['pred_flow'], one['flow']
        for y, x in np.ndindex(*truth.shape[-2:]):
            if one['visible'][0, y, x]:
                dx, dy = (found - truth)[:, y, x].tolist()
                errors.append((dx * dx + dy * dy) ** 0.5)
    shares = [
        100 * sum(e <= limit for e in errors) / len(errors)
        for limit in (0.25, 0.5, 1, 2)
    ]
    return dict(zip(NAMES, [*shares, np.median(errors)], strict=True))


def test_over_all_pixels_together():
    # Of different sizes: the mean of the samples would be another value.
    samples = [sample(0), sample(1, (3, 3)), sample(2, (9, 4))]
    metric = MatchAccuracy()
    for one in samples:
        metric.process({}, [one])
    result = metric.evaluate(3)
    expected = by_loop(samples)
    assert list(result) == NAMES
    for name in NAMES:
        assert result[name] == pytest.approx(expected[name], rel=1e-5)
    assert 0 < result['Match@0.25'] < result['Match@1'] < 100


def test_in_mmengines_evaluator():
    evaluator = Evaluator([dict(type='mmdsr.MatchAccuracy', prefix='sim')])
    samples = [sample(seed) for seed in range(2)]
    samples[1] = {
        key: value[None] if isinstance(value, torch.Tensor) else value
        for key, value in samples[1].items()
    }
    for one in samples:
        evaluator.process([one], {})
    result = evaluator.evaluate(2)
    assert set(result) == {f'sim/{name}' for name in NAMES}


def test_no_visible_pixels():
    one = sample(0)
    one['visible'].zero_()
    metric = MatchAccuracy()
    metric.process({}, [dict(one, output={})])
    assert all(np.isnan(value) for value in metric.evaluate(1).values())
    assert list(match_accuracy(np.zeros(0))) == NAMES


def test_refuses():
    metric = MatchAccuracy()
    one = sample(0)
    for key in ('flow', 'visible'):
        with pytest.raises(KeyError, match='LoadFlow'):
            metric.process({}, [{k: v for k, v in one.items() if k != key}])
    with pytest.raises(KeyError, match='pred_flow'):
        metric.process({}, [dict(one, output={})])
    with pytest.raises(ValueError, match=r'\(2, 4, 4\), but the truth'):
        match_errors(np.zeros((2, 4, 4)), np.zeros((2, 5, 4)), np.ones((5, 4)))


def test_an_error_of_exactly_a_threshold_counts():
    shares = match_accuracy(np.array([0.25, 0.5, 1, 2], np.float32))
    assert [shares[name] for name in NAMES[:4]] == [25, 50, 75, 100]
    shares = match_accuracy(np.nextafter([0.25, 0.5, 1, 2], 9))
    assert [shares[name] for name in NAMES[:4]] == [0, 25, 50, 75]
