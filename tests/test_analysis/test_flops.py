"""Counts against Table 2 and the figures of the original counter."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmdsr.analysis.flops import cost_parts, count_cost, example_inputs
from mmdsr.models.networks import DSRNet, MASASRNet
from mmdsr.models.networks.decoder import InstanceNorm
from mmdsr.registry import MODELS

COUNTS = json.loads(
    (Path(__file__).parents[1] / 'data/sisr_counts.json').read_text()
)['models']
STUDENT = dict(encoder_blocks=(2, 2, 2), decoder_blocks=(1, 1, 1, 6, 4, 2))


def count(net, convention):
    inputs = example_inputs(net, 128, 128)
    return count_cost(net, inputs, convention)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('net', 'row'),
    [
        (MASASRNet, 'masa'),
        (lambda: MASASRNet(block_size=16, dilations=(1,)),
         'masa_block16_dilation1'),
        (lambda: DSRNet('released'), 'dsrnet_teacher'),
        (lambda: DSRNet('released', **STUDENT), 'dsrnet_student'),
    ],
)  # fmt: skip
def test_masa_convention_reproduces_the_original_counter(net, row):
    total = sum(count(net(), 'masa').values())
    expected = COUNTS[row]['flop_count_g_without_index_arithmetic']
    assert total / 1e9 == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ('options', 'masa', 'true', 'params'),
    [({}, 388.163, 368.03, 7_300_596), (STUDENT, 257.703, 237.80, 5_306_484)],
)
def test_default_networks(options, masa, true, params):
    net = DSRNet(**options)
    assert sum(p.numel() for p in net.parameters()) == params
    assert sum(count(net, 'masa').values()) / 1e9 == pytest.approx(
        masa, abs=1e-3
    )
    # The note's true MACs contain the original matching (6.502 G).
    macs = count(net, 'macs')
    matching = macs.pop('dmm.drimm')
    assert sum(macs.values()) / 1e9 == pytest.approx(true - 6.502, abs=0.01)
    assert matching / 1e9 < 0.5 * 6.502


def test_the_nano_student_keeps_its_budget():
    cfg = Config.fromfile(
        Path(__file__).parents[2] / 'configs/dsrnet/student_nano.py'
    )
    net = MODELS.build(cfg.model.generator)
    counts = count_cost(net, example_inputs(net, 80, 112))
    assert {'depth_net', 'dmm.drimm'} <= counts.keys()
    assert 6.0 < sum(counts.values()) / 1e9 <= 6.5


def test_true_macs_of_single_layers():
    class Layers(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(4, 6, 3, padding=1, groups=2)
            self.deconv = nn.ConvTranspose2d(6, 5, 3, 2, 1, 1)
            self.linear = nn.Linear(7, 3)

        def forward(self, image, rows):
            return self.deconv(self.conv(image)), self.linear(rows)

    inputs = torch.rand(2, 4, 8, 10), torch.rand(11, 7)
    counts = count_cost(Layers(), inputs)
    assert counts['conv'] == 2 * 80 * 6 * 2 * 9
    assert counts['deconv'] == 2 * 80 * 6 * 5 * 9
    assert counts['linear'] == 11 * 7 * 3
    # The convention counts a transposed convolution by its output.
    masa = count_cost(Layers(), inputs, 'masa')
    assert masa['deconv'] == 2 * 320 * 5 * 5 * 9


def test_instance_norm_is_free_in_the_masa_convention():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = InstanceNorm()

        def forward(self, x):
            return torch.relu(self.norm(x)) + x

    counts = count_cost(Block(), [torch.rand(1, 2, 8, 8)], 'masa')
    assert counts == {'other': 256}


def test_parts_cover_all_parameters():
    net = DSRNet(channels=8)
    parts = cost_parts(net)
    assert 'dmm.drimm' in parts
    assert sum(
        p.numel() for part in parts.values() for p in part.parameters()
    ) == sum(p.numel() for p in net.parameters())


def test_unknown_convention_is_refused():
    with pytest.raises(ValueError, match='macs'):
        count_cost(nn.Identity(), [torch.rand(1)], 'flops')


@pytest.mark.parametrize(
    ('name', 'limit'), [('x', 8.0), ('x_light', 3.5), ('x_nano', 1.0)]
)
def test_cost_of_the_family(name, limit):
    path = Path(__file__).parents[2] / f'configs/dsrnet_x/{name}.py'
    net = MODELS.build(Config.fromfile(path).model.generator)
    costs = count_cost(net, example_inputs(net, 80, 112))
    total = sum(costs.values()) / 1e9
    assert 0.6 * limit < total <= limit
    assert costs['aligner'] > 0
    assert costs['trunk'] > 0
    # Parameters of at most 8 MB in half or single precision.
    assert sum(p.numel() for p in net.parameters()) * 4 < 8e6
