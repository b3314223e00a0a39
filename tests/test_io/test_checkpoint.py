"""Checkpoints are read without running code from them."""

import os
import pickle

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.optim import scheduler
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
from mmengine.runner.checkpoint import CheckpointLoader, load_checkpoint
from torch import nn

from mmdsr.errors import CheckpointError
from mmdsr.io.checkpoint import (
    generator_weights,
    load_generator,
    read_checkpoint,
    save_weights,
    use_safe_loader,
)


class Attack:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def loader():
    """Restore mmengine's loader after the test."""
    before = dict(CheckpointLoader._schemes)
    yield
    CheckpointLoader._schemes.clear()
    CheckpointLoader._schemes.update(before)


def _training_checkpoint():
    """What mmengine writes: weights, log history, optimizer, numbers."""
    torch.manual_seed(0)
    net = nn.Conv2d(3, 4, 3)
    optim = torch.optim.Adam(net.parameters())
    net(torch.rand(1, 3, 8, 8)).sum().backward()
    optim.step()
    hub = MessageHub('test_checkpoint')
    for value in (1.0, 3.0):
        hub.update_scalar('train/loss', value)
    hub.update_info('iter', 7)
    hub.update_info('keep_ckpt_ids', [1, 2])
    return dict(
        meta=dict(iter=8, seed=np.int64(3), best=np.float32(0.5)),
        state_dict={
            f'generator.{key}': value
            for key, value in net.state_dict().items()
        },
        message_hub=hub.state_dict(),
        optimizer=optim.state_dict(),
        dtype=torch.float16,
    )


def _equal(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_equal, a, b))
    return a == b


@pytest.mark.parametrize('zipped', [True, False])
def test_training_checkpoint_is_read_whole(tmp_path, zipped):
    path = tmp_path / 'iter_8.pth'
    saved = _training_checkpoint()
    torch.save(saved, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(pickle.UnpicklingError, match=r'[Ww]eights.only'):
        torch.load(path, weights_only=True)
    read = read_checkpoint(path)
    history = read['message_hub'].pop('log_scalars')['train/loss']
    saved['message_hub'].pop('log_scalars')
    assert _equal(read, saved)
    assert isinstance(history, HistoryBuffer)
    assert history.data[0].tolist() == [1.0, 3.0]
    assert history.statistics('mean') == 2.0
    history.update(5.0)
    assert history.max() == 5.0


@pytest.mark.parametrize(
    ('kind', 'arguments'),
    [
        (scheduler.MultiStepLR, dict(milestones=[2, 3])),
        (scheduler.StepLR, dict(step_size=2)),
        (scheduler.PolyLR, dict()),
        (scheduler.LinearLR, dict(end=5)),
        (scheduler.CosineAnnealingLR, dict(T_max=5)),
        (scheduler.CosineRestartLR, dict(periods=[2], eta_min=0)),
        (scheduler.ExponentialLR, dict(gamma=0.9)),
        (scheduler.OneCycleLR, dict(eta_max=1, total_steps=9)),
        (
            scheduler.OneCycleLR,
            dict(eta_max=1, total_steps=9, anneal_strategy='linear'),
        ),
        (scheduler.ReduceOnPlateauLR, dict()),
    ],
)
def test_schedulers_of_the_hosts_are_read(tmp_path, kind, arguments):
    """Their configs step down at milestones, for instance."""
    content = _training_checkpoint()
    optim = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    state = kind(optim, **arguments).state_dict()
    content['param_schedulers'] = [state]
    torch.save(content, tmp_path / 'iter_8.pth')
    assert read_checkpoint(tmp_path / 'iter_8.pth')['param_schedulers'] == [
        state
    ]


def test_attack_is_refused_by_name(tmp_path):
    target = tmp_path / 'hacked'
    for content in (
        dict(state_dict={}, x=Attack(target)),
        # Together with what sends it past weights_only=True.
        dict(a=HistoryBuffer([1.0], [1]), x=Attack(target)),
    ):
        torch.save(content, tmp_path / 'attack.pth')
        with pytest.raises(CheckpointError, match='mkdir'):
            read_checkpoint(tmp_path / 'attack.pth')
    assert not target.exists()


class GetAttribute:
    def __init__(self, owner):
        self.owner = owner

    def __reduce__(self):
        return getattr, (self.owner, '__init__')


@pytest.mark.parametrize('owner', [HistoryBuffer, OneCycleParamScheduler, []])
def test_attribute_access_is_limited(tmp_path, owner):
    torch.save(dict(x=GetAttribute(owner)), tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match='__init__'):
        read_checkpoint(tmp_path / 'a.pth')


def test_broken_files_are_named(tmp_path):
    good = tmp_path / 'good.pth'
    torch.save(_training_checkpoint(), good)
    data = good.read_bytes()
    cases = {
        'empty.pth': b'',
        'text.pth': b'no checkpoint at all\n',
        'short.pth': data[: len(data) // 2],
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=name):
            read_checkpoint(tmp_path / name)
    torch.save([1, 2], tmp_path / 'list.pth')
    with pytest.raises(CheckpointError, match='contains a list'):
        read_checkpoint(tmp_path / 'list.pth')
    with pytest.raises(FileNotFoundError, match=r'none.pth'):
        read_checkpoint(tmp_path / 'none.pth')


def test_mmengine_uses_it(tmp_path, loader):
    path = tmp_path / 'iter_8.pth'
    torch.save(_training_checkpoint(), path)
    use_safe_loader()
    holder = nn.ModuleDict(dict(generator=nn.Conv2d(3, 4, 3)))
    checkpoint = load_checkpoint(holder, str(path), map_location='cpu')
    weight = checkpoint['state_dict']['generator.weight']
    assert torch.equal(holder['generator'].weight, weight)


@pytest.mark.parametrize('kind', ['training', 'model', 'generator'])
def test_generator_is_found_in_every_kind_of_file(tmp_path, kind):
    content = _training_checkpoint()
    state = content['state_dict']
    if kind == 'model':
        content = {**state, 'discriminator.weight': torch.zeros(1)}
    if kind == 'generator':
        content = generator_weights(content)
    path = tmp_path / 'x.pth'
    torch.save(content, path)
    net = nn.Conv2d(3, 4, 3)
    load_generator(net, path)
    assert torch.equal(net.weight, state['generator.weight'])


def test_weights_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / 'x.pth'
    torch.save(_training_checkpoint(), path)
    net = nn.Conv2d(3, 5, 3)
    before = net.weight.clone()
    with pytest.raises(
        CheckpointError, match=r'0 of 2 keys fit; 2 of another shape.*bias'
    ):
        load_generator(net, path)
    assert torch.equal(net.weight, before)
    with pytest.raises(CheckpointError, match=r'missing.*unexpected'):
        load_generator(nn.Sequential(nn.Conv2d(3, 4, 3)), path)


def test_save_weights(tmp_path, monkeypatch):
    state = nn.Conv2d(3, 4, 3).state_dict()
    path = tmp_path / 'new' / 'weights.pth'
    save_weights(state, path)
    assert _equal(torch.load(path, weights_only=True), dict(state))

    def fail(content, file):
        file.write_bytes(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(torch, 'save', fail)
    with pytest.raises(OSError, match='disk full'):
        save_weights(state, path)
    assert [file.name for file in path.parent.iterdir()] == ['weights.pth']
    assert torch.load(path, weights_only=True)


@pytest.mark.parametrize('value', [torch.nan, torch.inf])
def test_one_value_that_is_not_finite(tmp_path, value):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    state = net.state_dict()
    state['1.running_var'][2] = value
    path = tmp_path / 'x.pth'
    for content in (state, dict(state_dict=state), dict(params=state)):
        torch.save(content, path)
        with pytest.raises(
            CheckpointError, match=r'x.pth.*not finite: .*1.running_var \(1 v'
        ):
            read_checkpoint(path)
    # Huge is not infinite, and a log may hold what it likes.
    state['1.running_var'][2] = 3e38
    state['0.weight'].fill_(2e38)
    hub = dict(grad_norm=HistoryBuffer([value], [1]), last=torch.tensor(value))
    torch.save(dict(state_dict=state, message_hub=hub), path)
    assert read_checkpoint(path)['state_dict']['1.running_var'][2] > 1e38


def test_more_values_than_there_are(tmp_path):
    """A file of a kilobyte must not take a terabyte."""
    path = tmp_path / 'x.pth'
    torch.save({'a': torch.ones(1).expand(10**12)}, path)
    assert read_checkpoint(path)['a'].shape == (10**12,)
    torch.save({'a': torch.full((1,), torch.nan).expand(10**12)}, path)
    with pytest.raises(CheckpointError, match=r'a \(1 value\)'):
        read_checkpoint(path)
    torch.save({'a': torch.zeros(2, 2).to_sparse()}, path)
    with pytest.raises(CheckpointError, match='a is not a dense tensor'):
        read_checkpoint(path)


def test_wrappings(tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr(
        'mmdsr.io.checkpoint.print_log',
        lambda text, logger: lines.append(text),
    )
    net = nn.Conv2d(3, 4, 3)
    state = dict(net.state_dict())
    module = {f'module.{key}': value for key, value in state.items()}
    path = tmp_path / 'x.pth'
    for content, said in (
        (state, None),
        (dict(state_dict=state, meta={}), None),
        (dict(state_dict=state), "'state_dict'"),
        (module, "'module.'"),
        (dict(params=dict(weight=1), params_ema=state), "'params_ema'"),
        (dict(params=module), "'params', without the prefix 'module.'"),
        (dict(state_dict=dict(params=module)), "'state_dict', from 'params'"),
    ):
        torch.save(content, path)
        other = nn.Conv2d(3, 4, 3)
        lines.clear()
        load_generator(other, path)
        assert torch.equal(other.weight, net.weight)
        assert len(lines) == (said is not None)
        assert said is None or said in lines[0]
