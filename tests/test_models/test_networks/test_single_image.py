"""The compared networks: one interface, and what each of them is."""

import sys

import pytest
import torch
import torch.nn.functional as F

pytest.importorskip('spandrel')
pytest.importorskip('mmagic')

from mmdsr.analysis.flops import count_cost, example_inputs
from mmdsr.errors import MissingExtraError
from mmdsr.models.networks import DBPN, MDSR, RCAN
from mmdsr.models.networks.dbpn import BackProjection
from mmdsr.models.networks.single_image import DIV2K_MEAN
from mmdsr.registry import MODELS

SMALL = {
    'EDSR': dict(channels=8, num_blocks=2),
    'MDSR': dict(channels=8, num_blocks=2),
    'DBPN': dict(first_channels=8, channels=4, stages=3),
    'RCAN': dict(channels=8, num_groups=2, num_blocks=1, reduction=4),
    'ATD': dict(
        channels=12, depths=(1, 1), num_heads=2, window_size=8,
        category_size=16, num_tokens=8, reduced_channels=4,
    ),
}  # fmt: skip


def build(name):
    torch.manual_seed(0)
    return MODELS.build(dict(type=f'mmdsr.{name}', **SMALL[name]))


@pytest.mark.parametrize('name', SMALL)
def test_takes_any_size_and_ignores_the_reference(name):
    net = build(name).eval()
    lr = torch.rand(2, 3, 5, 19)
    before = lr.clone()
    with torch.no_grad():
        alone = net(lr)
        beside = net(lr, torch.rand(2, 3, 40, 30))
        output = net.explain(lr, torch.rand(2, 3, 40, 30))
    assert alone.shape == (2, 3, 20, 76)
    assert torch.equal(alone, beside)
    assert torch.equal(alone, output.sr)
    assert torch.equal(lr, before)
    assert not output.confidence.any()
    assert output.confidence.shape == (2, 1, 5, 19)
    with pytest.raises(ValueError, match='RGB images of shape'):
        net(torch.rand(2, 1, 5, 19))


@pytest.mark.parametrize('name', SMALL)
def test_every_parameter_learns(name):
    net = build(name)
    F.l1_loss(
        net(torch.rand(1, 3, 16, 16)), torch.rand(1, 3, 64, 64)
    ).backward()
    idle = [n for n, p in net.named_parameters() if p.grad is None]
    assert not idle


@pytest.mark.parametrize('name', SMALL)
def test_counting_does_not_change_the_network(name):
    net = build(name).eval()
    count_cost(net, example_inputs(net, 16, 16))
    with torch.no_grad():
        result = net(torch.rand(1, 3, 16, 16))
    assert type(result) is torch.Tensor
    assert result.isfinite().all()


def test_mdsr_from_its_layers():
    torch.manual_seed(0)
    net = MDSR(channels=4, num_blocks=1)
    lr = torch.rand(1, 3, 6, 7)
    mean = torch.tensor(DIV2K_MEAN).view(1, 3, 1, 1)
    x = net.head(lr - mean)
    for block in net.preprocessing:
        assert block.conv1.kernel_size == (5, 5)
        x = x + block.conv2(block.conv1(x).clamp(min=0))
    block, last = net.body
    y = x + block.conv2(block.conv1(x).clamp(min=0))
    x = x + last(y)
    for number in (0, 2):
        x = F.pixel_shuffle(net.upsampling[number](x), 2)
    assert torch.allclose(net(lr), net.tail(x) + mean, atol=1e-6)


@pytest.mark.parametrize('up', [True, False])
def test_back_projection_from_its_equations(up):
    torch.manual_seed(0)
    unit = BackProjection(6, 3, up)
    x = torch.rand(1, 6, 8, 12)

    def apply(part, value):
        layer, activation = part
        value = layer(value)
        slope = activation.weight.view(1, -1, 1, 1)
        return torch.where(value > 0, value, slope * value)

    reduced = apply(unit.reduce, x)
    projected = apply(unit.project, reduced)
    error = apply(unit.back, projected) - reduced
    expected = projected + apply(unit.correct, error)
    assert torch.allclose(unit(x), expected, atol=1e-6)
    assert expected.shape[-2:] == ((32, 48) if up else (2, 3))


def test_dbpn_is_dense():
    net = DBPN(first_channels=4, channels=2, stages=4)
    widths = [
        part.reduce[0].in_channels if len(part.reduce) else 2
        for part in (*net.up, *net.down)
    ]
    assert widths == [2, 2, 4, 6, 2, 4, 6]
    assert net.reconstruction.in_channels == 8


def test_without_spandrel_its_networks_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, 'spandrel', None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mmdsr\[peers"):
        RCAN()


def test_wrong_widths_are_explained():
    with pytest.raises(ValueError, match='smaller reduction'):
        RCAN(channels=8)
    with pytest.raises(ValueError, match='divisible by num_heads=5'):
        MODELS.build(dict(type='mmdsr.ATD', channels=12, num_heads=5))
