"""Errors of predicted depth, against loops."""

import numpy as np
import pytest
import torch

from mmdsr.evaluation.depth_error import DepthError, to_depth
from mmdsr.evaluation.depth_metrics import roughness


def sample(seed, size=(6, 8)):
    rng = np.random.default_rng(seed)
    true = rng.uniform(0.002, 0.9, size)
    true[0, :2] = np.nan
    found = true * rng.uniform(0.7, 1.4, size)
    found[np.isnan(true)] = 0.5
    found[3, 3] = -0.1
    return dict(
        output=dict(pred_depth=torch.from_numpy(found)[None]),
        depth_lr=torch.from_numpy(true)[None],
    )


def by_loop(one):
    found = one['output']['pred_depth'][0].tolist()
    true = one['depth_lr'][0].tolist()
    errors, near = [], []
    for row, real in zip(found, true, strict=True):
        for d, t in zip(row, real, strict=True):
            # Not known, or beyond 50 m.
            if not t >= 0.25 / 50:
                continue
            z, z_true = 0.25 / max(d, 0.25 / 50), 0.25 / t
            errors.append(abs(z - z_true) / z_true)
            near.append(max(z / z_true, z_true / z) < 1.25)
    return np.mean(errors), np.mean(near)


def test_sparse_depth_has_no_roughness():
    sparse, dense = sample(0), sample(1)
    sparse['depth_lr'][:] = float('nan')
    sparse['depth_lr'][0, 1, 1] = sparse['depth_lr'][0, 4, 5] = 0.5
    metric, alone = DepthError(), DepthError()
    for one in (sparse, dense):
        metric.process({}, [one])
    alone.process({}, [dense])
    found, expected = metric.evaluate(2), alone.evaluate(1)
    assert found['Roughness'] == expected['Roughness']
    assert found['AbsRel'] != expected['AbsRel']


def test_means_over_samples():
    samples = [sample(0), sample(1, (5, 9)), sample(2)]
    unknown = sample(3)
    unknown['depth_lr'] = torch.full((1, 6, 8), float('nan'))
    metric = DepthError()
    for one in [*samples, unknown]:
        metric.process({}, [one])
    result = metric.evaluate(4)
    expected = np.mean([by_loop(one) for one in samples], 0)
    assert result['AbsRel'] == pytest.approx(expected[0], rel=1e-6)
    assert result['Delta1.25'] == pytest.approx(expected[1], rel=1e-6)
    assert result['SILog'] > 0
    assert result['Roughness'] > 1
    empty = DepthError()
    empty.process({}, [unknown])
    assert all(np.isnan(value) for value in empty.evaluate(1).values())


def test_perfect():
    one = sample(0)
    one['output']['pred_depth'] = torch.nan_to_num(one['depth_lr'], nan=0.3)
    metric = DepthError()
    metric.process({}, [one])
    result = metric.evaluate(1)
    assert result['AbsRel'] == pytest.approx(0, abs=1e-6)
    assert result['Delta1.25'] == 1
    assert result['Roughness'] == pytest.approx(1)


def test_missing_data_is_named():
    one = sample(0)
    with pytest.raises(KeyError, match='LoadDepth'):
        DepthError().process({}, [dict(output=one['output'])])
    with pytest.raises(KeyError, match='predicts depth'):
        DepthError().process({}, [dict(one, output={})])


def test_to_depth():
    inverse = np.array([1, 0.25, 0, -1, np.nan])
    expected = [0.25, 1, 50, 50, np.nan]
    np.testing.assert_allclose(to_depth(inverse), expected)


def test_roughness():
    y, x = np.mgrid[:12, :15].astype(float)
    true = np.exp(0.01 * x * x - 0.02 * y * y)
    assert roughness(3 * true, true) == pytest.approx(1)
    # A grain of 1 % in a chessboard: 4 times its size in both directions.
    grain = 0.01 * (-1) ** (x + y)
    expected = np.mean(
        np.concatenate(
            [
                np.abs(0.02 + np.diff(grain, 2, 1)).ravel(),
                np.abs(-0.04 + np.diff(grain, 2, 0)).ravel(),
            ]
        )
    )
    plain = np.mean(np.r_[np.full(12 * 13, 0.02), np.full(10 * 15, 0.04)])
    found = roughness(true * np.exp(grain), true)
    assert found == pytest.approx(expected / plain, rel=1e-3)
    hole = np.where(x % 3 == 1, np.nan, true)
    hole[::2] = np.nan
    with pytest.raises(ValueError, match='three adjacent pixels'):
        roughness(true, hole)
    with pytest.raises(ValueError, match='same shape'):
        roughness(true[1:], true)
