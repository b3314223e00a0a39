"""ADM against slow versions written from Eq. 16 to 20."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from mmdsr.models.distillers import (
    ADM,
    attention,
    attention_loss,
    channel_pool,
    pair_distances,
    pool_and_project,
)

T_CHANNELS, S_CHANNELS, WIDTH = (6, 5, 4), (3, 7), 8
T_SIZES, S_SIZES = ((8, 12), (4, 6), (2, 3)), ((10, 9), (3, 4))


def _features(channels, sizes, count=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(count, width, *size, generator=generator)
        for width, size in zip(channels, sizes, strict=True)
    ]


def _both(count=2):
    return (
        _features(T_CHANNELS, T_SIZES, count),
        _features(S_CHANNELS, S_SIZES, count, seed=1),
    )


def _adm(**kwargs):
    torch.manual_seed(0)
    adm = ADM(T_CHANNELS, S_CHANNELS, WIDTH, loss_weight=1.0, **kwargs)
    # Apart from each other, so that a wrong index cannot pass.
    with torch.no_grad():
        for parameter in adm.parameters():
            parameter.normal_(std=0.7)
    return adm


def _numpy(tensor):
    return tensor.detach().numpy().astype(np.float64)


def _slow_projection(feats, layers, relu):
    """Eq. 16 and 17: pool, multiply, activate, one number at a time."""
    result = []
    for feat, layer in zip(feats, layers, strict=True):
        feat, weight = _numpy(feat), _numpy(layer.weight)[:, :, 0, 0]
        bias = _numpy(layer.bias)
        rows = []
        for sample in feat:
            pooled = [plane.sum() / plane.size for plane in sample]
            row = [
                sum(w * p for w, p in zip(line, pooled, strict=True)) + b
                for line, b in zip(weight, bias, strict=True)
            ]
            rows.append([max(v, 0) if relu else v for v in row])
        result.append(rows)
    return np.array(result).swapaxes(0, 1)


def _slow_attention(adm, queries, keys, per, over='student'):
    """Eq. 18."""
    matrices = _numpy(adm.matrices)
    p_t, p_s = _numpy(adm.teacher_position), _numpy(adm.student_position)
    powers = np.zeros((len(queries), len(p_t), len(p_s)))
    for b, m, n in np.ndindex(powers.shape):
        matrix = matrices[n if per == 'student' else m]
        logit = queries[b, m] @ matrix @ keys[b, n] + p_t[m] @ p_s[n]
        powers[b, m, n] = math.exp(logit / math.sqrt(WIDTH))
    alpha = np.zeros_like(powers)
    for b, m, n in np.ndindex(powers.shape):
        rivals = powers[b, m] if over == 'student' else powers[b, :, n]
        alpha[b, m, n] = powers[b, m, n] / sum(rivals)
    return alpha


def _slow_pool(plane, size):
    """Adaptive average pooling: cells of the target, floor to ceil."""
    out = np.zeros(size)
    for i in range(size[0]):
        for j in range(size[1]):
            top = i * plane.shape[0] // size[0]
            bottom = -(-(i + 1) * plane.shape[0] // size[0])
            left = j * plane.shape[1] // size[1]
            right = -(-(j + 1) * plane.shape[1] // size[1])
            out[i, j] = plane[top:bottom, left:right].mean()
    return out


def _slow_value(feat, size):
    plane = np.zeros(feat.shape[1:])
    for channel in feat:
        plane += channel**2 / len(feat)
    vector = _slow_pool(plane, size).ravel()
    return vector / math.sqrt(sum(v * v for v in vector))


def _slow_distances(teacher, student, squared):
    """The norms of Eq. 19 and 20."""
    out = np.zeros((len(teacher[0]), len(teacher), len(student)))
    for b, m, n in np.ndindex(out.shape):
        size = teacher[m].shape[-2:]
        error = _slow_value(_numpy(teacher[m][b]), size) - _slow_value(
            _numpy(student[n][b]), size
        )
        total = sum(e * e for e in error)
        out[b, m, n] = total / error.size if squared else math.sqrt(total)
    return out


@pytest.mark.parametrize('activation', [None, torch.relu])
def test_queries_and_keys_are_eq_16_and_17(activation):
    teacher, _ = _both()
    adm = _adm()
    expected = _slow_projection(teacher, adm.queries, activation is not None)
    result = _numpy(pool_and_project(teacher, adm.queries, activation))
    assert result.shape == (2, 3, WIDTH)
    np.testing.assert_allclose(result, expected, atol=1e-5)
    assert (result < 0).any() == (activation is None)


@pytest.mark.parametrize('over', ['student', 'teacher'])
@pytest.mark.parametrize('per', ['student', 'teacher'])
def test_attention_is_eq_18(per, over):
    adm = _adm(bilinear=per)
    queries, keys = torch.randn(4, 3, WIDTH), torch.randn(4, 2, WIDTH)
    alpha = attention(
        queries,
        keys,
        adm.matrices,
        adm.teacher_position,
        adm.student_position,
        per,
        over,
    )
    expected = _slow_attention(adm, _numpy(queries), _numpy(keys), per, over)
    np.testing.assert_allclose(_numpy(alpha), expected, atol=1e-5)
    rows, columns = alpha.sum(2), alpha.sum(1)
    whole, other = (rows, columns) if over == 'student' else (columns, rows)
    assert torch.allclose(whole, torch.ones_like(whole))
    # Not so flat that any axis of the softmax would do.
    assert alpha.std() > 0.1
    assert other.std() > 0.1


@pytest.mark.parametrize('reduction', ['norm', 'mse'])
def test_distances_are_the_norms_of_eq_19(reduction):
    teacher, student = _both()
    result = _numpy(pair_distances(teacher, student, reduction))
    expected = _slow_distances(teacher, student, reduction == 'mse')
    np.testing.assert_allclose(result, expected, rtol=1e-4)


@pytest.mark.parametrize('per', ['student', 'teacher'])
@pytest.mark.parametrize('reduction', ['norm', 'mse'])
@pytest.mark.parametrize('activation', ['relu', None])
@pytest.mark.parametrize('over', ['student', 'teacher'])
def test_module_is_the_sum_of_eq_19(over, per, reduction, activation):
    teacher, student = _both()
    adm = _adm(
        bilinear=per,
        softmax_over=over,
        reduction=reduction,
        query_activation=activation,
    )
    alpha = _slow_attention(
        adm,
        _slow_projection(teacher, adm.queries, activation is not None),
        _slow_projection(student, adm.keys, True),
        per,
        over,
    )
    distances = _slow_distances(teacher, student, reduction == 'mse')
    expected = 0
    for b, m, n in np.ndindex(alpha.shape):
        expected += alpha[b, m, n] * distances[b, m, n] / len(alpha)
    assert adm(teacher, student).item() == pytest.approx(expected, rel=1e-4)
    adm.loss_weight = 0.1
    weighted = adm(teacher, student).item()
    assert weighted == pytest.approx(0.1 * expected, rel=1e-4)


def test_one_sample_and_any_size():
    adm = _adm()
    for sizes in ((1, 1), (20, 28)), ((7, 5), (16, 2)):
        teacher = _features(T_CHANNELS, (*sizes, (3, 3)), count=1)
        student = _features(S_CHANNELS, sizes, count=1)
        alpha = adm.attend(teacher, student)
        assert alpha.shape == (1, 3, 2)
        assert torch.allclose(alpha.sum(-1), torch.ones(1, 3))
        loss = adm(teacher, student)
        assert loss.shape == ()
        assert torch.isfinite(loss)
        loss.backward()


def test_samples_do_not_mix():
    teacher, student = _both(3)
    adm = _adm()
    alone = [
        adm([f[i : i + 1] for f in teacher], [f[i : i + 1] for f in student])
        for i in range(3)
    ]
    assert torch.allclose(adm(teacher, student), sum(alone) / 3)


def test_gradient_reaches_the_student_by_both_ways_and_not_the_teacher():
    teacher, student = _both()
    for feat in (*teacher, *student):
        feat.requires_grad_(True)
    adm = _adm()
    adm(teacher, student).backward()
    assert all(feat.grad is None for feat in teacher)
    assert all(feat.grad.abs().sum() > 0 for feat in student)
    total = [feat.grad for feat in student]
    alpha = adm.attend(teacher, student)
    distances = pair_distances([f.detach() for f in teacher], student)
    by_value = torch.autograd.grad(
        attention_loss(alpha.detach(), distances), student, retain_graph=True
    )
    by_attention = torch.autograd.grad(
        attention_loss(alpha, distances.detach()), student
    )
    for whole, value, weight in zip(
        total, by_value, by_attention, strict=True
    ):
        assert value.abs().max() > 1e-6
        assert weight.abs().max() > 1e-6
        assert torch.allclose(whole, value + weight, atol=1e-6)


def test_every_parameter_gets_a_gradient():
    """Else distributed training would need find_unused_parameters."""
    adm = _adm()
    adm(*_both()).backward()
    assert all(p.grad is not None for p in adm.parameters())
    assert sum(p.grad.abs().sum() > 0 for p in adm.parameters()) >= 10


def test_equal_features_cost_nothing_and_have_a_finite_gradient():
    teacher = _features(T_CHANNELS, T_SIZES)
    student = [feat.clone().requires_grad_(True) for feat in teacher]
    for reduction in ('norm', 'mse'):
        distances = pair_distances(teacher, student, reduction)
        equal = torch.diagonal(distances, dim1=1, dim2=2)
        assert equal.max() <= 1e-6
        assert (distances > 1e-6).sum() == 2 * 6
        for grad in torch.autograd.grad(equal.sum(), student):
            assert torch.isfinite(grad).all()


@pytest.mark.parametrize(
    ('width', 'parameters'), [(64, 37_632), (128, 99_840)]
)
def test_size(width, parameters):
    adm = ADM([64] * 3, [64] * 3, width)
    assert sum(p.numel() for p in adm.parameters()) == parameters


def test_values_have_neither_width_nor_scale():
    feat = torch.randn(2, 4, 6, 5)
    vector = channel_pool(feat)
    assert torch.allclose(vector.norm(dim=1), torch.ones(2))
    for other in (feat.repeat(1, 3, 1, 1), 7 * feat, -feat):
        assert torch.allclose(channel_pool(other), vector, atol=1e-6)
    # Enlarged by repeating pixels, reduced by averaging.
    large = channel_pool(feat, (12, 10)).view(2, 12, 10)
    assert torch.allclose(large[:, ::2, ::2], large[:, 1::2, 1::2])


def test_resizing_the_features_instead_of_the_maps():
    teacher, student = _both()
    first = nn.functional.interpolate(
        student[0], (8, 12), mode='bilinear', antialias=True
    )
    result = pair_distances(teacher, student, resize='bilinear')[:, 0, 0]
    expected = (channel_pool(teacher[0]) - channel_pool(first)).norm(dim=1)
    assert torch.allclose(result, expected, atol=1e-5)
    pooled = pair_distances(teacher, student)[:, 0, 0]
    assert not torch.allclose(result, pooled, atol=1e-3)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_fp32_under_mixed_precision(dtype):
    teacher, student = _both()
    adm = _adm()
    # Squares out of fp16's range on either side.
    low = [
        (feat * scale).to(dtype)
        for feat, scale in zip(teacher, (1e-4, 1.0, 500.0), strict=True)
    ]
    student = [feat.to(dtype) for feat in student]
    with torch.autocast('cpu', torch.bfloat16):
        loss = adm(low, student)
    assert loss.dtype == torch.float32
    full = adm([f.float() for f in low], [f.float() for f in student])
    assert torch.equal(loss, full)
    assert torch.isfinite(loss)


def test_learns_to_ask_for_the_nearest_feature():
    """What the attention is for: the weights move to the small distances."""
    torch.manual_seed(0)
    teacher = _features(T_CHANNELS, ((8, 12),) * 3, count=1)
    near = teacher[0] + 0.05 * torch.randn_like(teacher[0])
    far = torch.randn(1, 6, 8, 12)
    adm = ADM(T_CHANNELS, (6, 6), WIDTH)
    before = adm.attend(teacher, [far, near])[0, 0, 1].item()
    optimizer = torch.optim.Adam(adm.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        adm(teacher, [far, near]).backward()
        optimizer.step()
    after = adm.attend(teacher, [far, near])[0, 0, 1].item()
    assert after > max(before + 0.1, 0.8)


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        (dict(bilinear='both'), 'bilinear'),
        (dict(softmax_over='both'), 'softmax_over'),
        (dict(reduction='l1'), 'reduction'),
        (dict(resize='nearest'), 'resize'),
        (dict(query_activation='gelu'), 'query_activation'),
        (dict(key_activation='gelu'), 'key_activation'),
    ],
)
def test_unknown_options(option, message):
    with pytest.raises(ValueError, match=f'{message} of ADM must be one of'):
        ADM((4,), (4,), **option)


def test_no_features():
    with pytest.raises(ValueError, match='both networks'):
        ADM((), (4,))
