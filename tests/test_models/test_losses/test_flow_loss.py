"""Losses of the flow against loops."""

import numpy as np
import pytest
import torch

from mmdsr.models.losses import FlowLoss
from mmdsr.models.losses.flow_loss import (
    end_point_error,
    reduce_flow,
    robust_flow_loss,
    support_loss,
)


def maps(height=6, width=8, batch=2, seed=0):
    rng = np.random.default_rng(seed)
    flow, truth = rng.normal(0, 1, (2, batch, 2, height, width))
    visible = (rng.random((batch, 1, height, width)) < 0.6).astype(float)
    return [torch.from_numpy(part) for part in (flow, truth, visible)]


def test_end_point_error():
    flow, truth, _ = maps()
    found = end_point_error(flow, truth)
    for n, y, x in np.ndindex(2, 6, 8):
        expected = np.hypot(*(flow - truth)[n, :, y, x].numpy())
        assert abs(found[n, 0, y, x] - expected) < 1e-9
    same = flow.clone().requires_grad_()
    end_point_error(same, flow).sum().backward()
    assert same.grad.isfinite().all()


@pytest.mark.parametrize('size', [(6, 8), (5, 7), (17, 23), (9, 16)])
@pytest.mark.parametrize('level', [0, 1, 2, 3])
def test_reduce_flow(size, level):
    flow, _, visible = maps(*size, batch=1)
    cells = [-(-side // 8) * 8 // 2**level for side in size]
    found, shown = reduce_flow(flow, visible, cells)
    if level == 0:
        assert found is flow
        assert shown is visible
        return
    side = 2**level
    assert tuple(found.shape[-2:]) == tuple(cells)
    for y, x in np.ndindex(*cells):
        rows = slice(y * side, (y + 1) * side)
        cols = slice(x * side, (x + 1) * side)
        there = visible[0, 0, rows, cols] > 0
        assert shown[0, 0, y, x] == (there.sum() >= side * side / 2)
        if there.any():
            expected = flow[0, :, rows, cols][:, there].mean(1) / side
            torch.testing.assert_close(found[0, :, y, x], expected)


@pytest.mark.parametrize('power', [0.5, 1.0])
def test_robust_flow_loss(power):
    flow, truth, visible = maps()
    total = count = 0
    for n, y, x in np.ndindex(2, 6, 8):
        if visible[n, 0, y, x]:
            error = np.hypot(*(flow - truth)[n, :, y, x].numpy())
            total += (error + 0.01) ** power
            count += 1
    found = robust_flow_loss(flow, truth, visible, power)
    assert found.item() == pytest.approx(total / count)


def test_support_loss():
    flow, truth, visible = maps()
    visible[1] = 0  # Its flow is not known.
    logit = torch.randn(2, 1, 6, 8, dtype=torch.float64)
    total = 0
    for y, x in np.ndindex(6, 8):
        error = np.hypot(*(flow - truth)[0, :, y, x].numpy())
        p = 1 / (1 + np.exp(-logit[0, 0, y, x].item()))
        right = error < 1 and visible[0, 0, y, x] > 0
        total -= np.log(p if right else 1 - p)
    flow.requires_grad_()
    logit.requires_grad_()
    loss = support_loss(logit, flow, truth, visible)
    assert loss.item() == pytest.approx(total / 48)
    loss.backward()
    assert flow.grad is None
    assert logit.grad[0].abs().min() > 0
    assert not logit.grad[1].any()


def test_no_visible_pixels_give_zero_with_a_graph():
    flow, truth, visible = maps()
    flow.requires_grad_()
    logit = torch.zeros(2, 1, 6, 8, dtype=torch.float64, requires_grad=True)
    losses = FlowLoss()([(flow, logit)], truth, 0 * visible)
    assert set(losses) == {'loss_flow', 'loss_support'}
    total = sum(losses.values())
    assert total.item() == 0
    total.backward()
    assert not flow.grad.any()
    assert not logit.grad.any()


def test_levels_are_weighed():
    _, truth, visible = maps(8, 8)
    results = [
        (torch.randn(2, 2, s, s).double(), torch.randn(2, 1, s, s).double())
        for s in (4, 8, 8)
    ]
    losses = FlowLoss(2.0, 0.5, decay=0.25)(results, truth, visible)
    flow = support = 0
    for weight, (found, logit) in zip(
        (1 / 16, 1 / 4, 1), results, strict=True
    ):
        true, shown = reduce_flow(truth, visible, found.shape[-2:])
        flow += weight * robust_flow_loss(found, true, shown)
        support += weight * support_loss(logit, found, true, shown)
    torch.testing.assert_close(losses['loss_flow'], 2 * flow)
    torch.testing.assert_close(losses['loss_support'], 0.5 * support)
