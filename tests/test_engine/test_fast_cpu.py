"""bfloat16 and channels last: faster, and nothing else."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmdsr.engine import fast_cpu
from mmdsr.engine.fast_cpu import ChannelsLastHook
from mmdsr.registry import HOOKS, MODELS, OPTIM_WRAPPERS

X = dict(type='mmdsr.DSRNetX', channels=8, num_blocks=2)


def make_wrapper(model, name='mmdsr.BFloat16OptimWrapper', lr=1e-2):
    optimizer = torch.optim.Adam(model.parameters(), lr)
    return OPTIM_WRAPPERS.build(dict(type=name, optimizer=optimizer))


@pytest.fixture
def asked(monkeypatch):
    """Set what the processor answers when asked for bfloat16."""

    def answer(value):
        fast_cpu.multiplies_bfloat16.cache_clear()
        monkeypatch.setattr(
            torch.cpu, '_is_avx512_bf16_supported', lambda: value, False
        )

    yield answer
    fast_cpu.multiplies_bfloat16.cache_clear()


def test_processors_without_bfloat16_run_in_float32(asked):
    model = nn.Conv2d(3, 4, 3)
    asked(False)
    with make_wrapper(model).optim_context(model):
        assert model(torch.rand(1, 3, 8, 8)).dtype == torch.float32


def test_older_pytorch_knows_avx512_only(asked, monkeypatch):
    asked(True)
    monkeypatch.delattr(torch.cpu, '_is_avx512_bf16_supported')
    for capability in ('AVX2', 'AVX512'):
        fast_cpu.multiplies_bfloat16.cache_clear()
        monkeypatch.setattr(
            torch.backends.cpu,
            'get_cpu_capability',
            lambda capability=capability: capability,
        )
        fast = fast_cpu.multiplies_bfloat16('cpu')
        assert fast == (capability == 'AVX512')


def test_forward_in_bfloat16_weights_in_float32(asked):
    asked(True)
    model = nn.Conv2d(3, 4, 3)
    with make_wrapper(model).optim_context(model):
        assert model(torch.rand(1, 3, 8, 8)).dtype == torch.bfloat16
    assert model(torch.rand(1, 3, 8, 8)).dtype == torch.float32
    assert model.weight.dtype == torch.float32


def test_accumulation_still_scales_the_loss():
    model = nn.Linear(1, 1)
    wrapper = make_wrapper(model)
    wrapper._accumulative_counts = 4
    assert wrapper.scale_loss(torch.tensor(4.0)) == 1


def fit(name, steps=30):
    torch.manual_seed(0)
    model = MODELS.build(X)
    wrapper = make_wrapper(model, name)
    lr = torch.rand(2, 3, 16, 16)
    truth = nn.functional.interpolate(lr, scale_factor=4)
    losses = []
    for _ in range(steps):
        with wrapper.optim_context(model):
            loss = (model(lr) - truth).abs().mean()
        wrapper.update_params(loss)
        losses.append(loss.item())
    return losses


def test_learns_as_in_float32(asked):
    asked(True)
    fast, exact = fit('mmdsr.BFloat16OptimWrapper'), fit('OptimWrapper')
    assert exact[-1] < 0.9 * exact[0]
    assert fast[-1] == pytest.approx(exact[-1], rel=0.05)
    assert fast != exact


def test_channels_last_changes_the_layout_only():
    model = MODELS.build(X).eval()
    nn.init.normal_(model.tail.weight)
    lr = torch.rand(1, 3, 16, 16)
    before = model(lr)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    HOOKS.build(dict(type='mmdsr.ChannelsLastHook')).before_run(
        SimpleNamespace(model=model)
    )
    weight = model.trunk[0].conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert not weight.is_contiguous()
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[name])
    torch.testing.assert_close(model(lr), before)


def test_layout_changes_before_the_average_model():
    from mmengine.hooks import EMAHook
    from mmengine.runner import get_priority

    layout, average = (
        get_priority(hook.priority) for hook in (ChannelsLastHook, EMAHook)
    )
    assert layout < average
