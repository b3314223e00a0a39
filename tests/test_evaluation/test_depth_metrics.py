import math

import numpy as np
import pytest

from mmdsr.evaluation.depth_metrics import (
    abs_rel,
    align_scale,
    delta_accuracy,
    depth_errors,
    scale_invariant,
)


@pytest.fixture
def maps():
    rng = np.random.default_rng(0)
    true = rng.uniform(0.3, 20, (9, 11))
    predicted = true * rng.lognormal(0.1, 0.3, true.shape)
    true[0, :4] = (np.nan, 0, -1, np.inf)
    predicted[3, :4] = (np.nan, 0, -2, np.inf)
    return predicted, true


def pairs(predicted, true):
    for p, t in zip(predicted.ravel(), true.ravel(), strict=True):
        if math.isfinite(p) and math.isfinite(t) and p > 0 and t > 0:
            yield float(p), float(t)


def test_against_loops(maps):
    found = list(pairs(*maps))
    assert len(found) == 9 * 11 - 8
    relative = sum(abs(p - t) / t for p, t in found) / len(found)
    assert abs_rel(*maps) == pytest.approx(relative)
    for limit in (1.1, 1.25, 1.25**2):
        good = sum(max(p / t, t / p) < limit for p, t in found)
        assert delta_accuracy(*maps, limit) == good / len(found)
    logs = [math.log(p) - math.log(t) for p, t in found]
    mean = sum(logs) / len(logs)
    square = sum(d * d for d in logs) / len(logs)
    assert scale_invariant(*maps) == pytest.approx(
        math.sqrt(square - mean * mean)
    )


def test_alignment_against_loops(maps):
    predicted, true = maps
    found = list(pairs(*maps))
    ratios = sorted(t / p for p, t in found)
    assert len(ratios) % 2
    scaled, factor = align_scale(predicted, true, 'median')
    assert factor == pytest.approx(ratios[len(ratios) // 2])
    np.testing.assert_allclose(scaled, predicted * factor)

    _, factor = align_scale(predicted, true, 'least-squares')

    def loss(x):
        return sum((x * p - t) ** 2 for p, t in found)

    assert loss(factor) < loss(factor * 1.001)
    assert loss(factor) < loss(factor * 0.999)
    assert align_scale(predicted, true, 'none')[1] == 1


def test_scale(maps):
    predicted, true = maps
    assert scale_invariant(7 * predicted, true) == pytest.approx(
        scale_invariant(predicted, true)
    )
    for mode in ('median', 'least-squares'):
        a = depth_errors(predicted, true, mode)
        b = depth_errors(7 * predicted, true, mode)
        assert a == pytest.approx(b)
    assert abs_rel(7 * predicted, true) > 2
    perfect = depth_errors(3 * true, true, 'median')
    assert perfect['abs_rel'] == pytest.approx(0)
    assert perfect['delta_1.25'] == 1
    assert perfect['scale_invariant'] == pytest.approx(0, abs=1e-9)


def test_known_is_the_share_of_the_truth(maps):
    predicted, true = maps
    assert depth_errors(predicted, true)['known'] == (95 - 4) / 95


def test_refusals(maps):
    predicted, true = maps
    with pytest.raises(ValueError, match='same shape'):
        abs_rel(predicted[1:], true)
    with pytest.raises(ValueError, match='No pixel'):
        depth_errors(np.full_like(true, np.nan), true)
    with pytest.raises(ValueError, match='mode'):
        align_scale(predicted, true, 'mean')
