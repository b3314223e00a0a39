"""The term of the depth loss against grain."""

import numpy as np
import pytest
import torch

from mmdsr.models.losses import DepthLoss, gradient_l1, masked_l1


def maps(shape=(2, 1, 5, 7)):
    rng = np.random.default_rng(0)
    pred, target = rng.random((2, *shape))
    target[rng.random(shape) < 0.2] = np.nan
    return torch.from_numpy(pred), torch.from_numpy(target)


def test_gradient_l1_is_a_loop():
    pred, target = maps()
    error = (pred - target).numpy()
    means = []
    for step in (1, 2, 4):
        for down, right in ((0, step), (step, 0)):
            found = []
            for n, y, x in np.ndindex(2, 5 - down, 7 - right):
                change = error[n, 0, y + down, x + right] - error[n, 0, y, x]
                if not np.isnan(change):
                    found.append(abs(change))
            means.append(np.mean(found))
    assert gradient_l1(pred, target).item() == pytest.approx(np.mean(means))


def test_value_of_the_loss():
    pred, target = maps()
    flat = target + 0.3
    assert gradient_l1(flat.nan_to_num(), target) < 1e-6
    total = DepthLoss(2.0, gradient_weight=0.5)
    expected = sum(
        2 * (masked_l1(p, target) + 0.5 * gradient_l1(p, target))
        for p in (pred, flat.nan_to_num())
    )
    found = total(pred, flat.nan_to_num(), target, target)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize('shape', [(1, 1, 5, 7), (1, 1, 3, 2)])
def test_unknown_and_small_maps(shape):
    pred, target = maps(shape)
    for truth in (target, torch.full_like(target, float('nan'))):
        leaf = pred.clone().requires_grad_()
        loss = gradient_l1(leaf, truth)
        loss.backward()
        assert loss.isfinite()
        assert leaf.grad.isfinite().all()
