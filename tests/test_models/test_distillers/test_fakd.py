"""The feature-affinity loss against a slow version."""

import numpy as np
import pytest
import torch

from mmdsr.models.distillers import FAKD, affinity, affinity_loss


def _slow_affinity(feat):
    """Cosine of every two positions, one by one."""
    channels, height, width = feat.shape
    points = feat.reshape(channels, height * width).T
    out = np.zeros((len(points), len(points)))
    for i, a in enumerate(points):
        for j, b in enumerate(points):
            out[i, j] = a @ b / np.sqrt((a @ a) * (b @ b))
    return out


def test_affinity_and_loss():
    torch.manual_seed(0)
    teacher, student = torch.randn(2, 6, 3, 4), torch.randn(2, 4, 3, 4)
    expected = []
    for t, s in zip(teacher.numpy(), student.numpy(), strict=True):
        slow_t, slow_s = _slow_affinity(t), _slow_affinity(s)
        expected.append(np.abs(slow_t - slow_s).mean())
    np.testing.assert_allclose(affinity(teacher)[1].numpy(), slow_t, atol=1e-5)
    loss = affinity_loss(teacher, student).item()
    assert loss == pytest.approx(np.mean(expected), rel=1e-4)
    module = FAKD((6, 6), (4, 4), loss_weight=0.5)
    assert module([teacher] * 2, [student] * 2).item() == pytest.approx(
        0.5 * loss, rel=1e-5
    )
    assert not list(module.parameters())


def test_zero_for_equal_and_scaled_features():
    feat = torch.randn(1, 4, 5, 6)
    module = FAKD((4,), (4,))
    assert module([feat], [feat]) == 0
    assert module([feat], [3 * feat]) < 1e-6
    assert module([feat], [feat.flip(-1)]) > 0.01


def test_gradient_reaches_the_student_only():
    teacher = torch.randn(1, 4, 5, 6, requires_grad=True)
    student = torch.randn(1, 8, 5, 6, requires_grad=True)
    FAKD((4,), (8,))([teacher], [student]).backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0


def test_large_maps_are_pooled():
    teacher, student = torch.randn(1, 4, 16, 24), torch.randn(1, 2, 16, 24)
    pooled = [
        torch.nn.functional.adaptive_avg_pool2d(feat, (8, 12))
        for feat in (teacher, student)
    ]
    limited = FAKD((4,), (2,), max_positions=96)([teacher], [student])
    assert torch.allclose(limited, affinity_loss(*pooled))
    whole = FAKD((4,), (2,), max_positions=None)([teacher], [student])
    assert torch.allclose(whole, affinity_loss(teacher, student))
    # A student map of another size is brought to the teacher's.
    other = FAKD((4,), (2,))([pooled[0]], [student])
    assert torch.allclose(other, affinity_loss(*pooled))


def test_mixed_precision():
    teacher, student = torch.randn(1, 4, 5, 6), torch.randn(1, 4, 5, 6)
    with torch.autocast('cpu', torch.bfloat16):
        loss = FAKD((4,), (4,))([teacher], [student])
    assert torch.equal(loss, affinity_loss(teacher, student))


def test_needs_pairs():
    with pytest.raises(ValueError, match="feature_level='scale'"):
        FAKD((4, 4), (4,))
