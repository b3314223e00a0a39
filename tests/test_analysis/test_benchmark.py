"""The yardsticks of the benchmark measure what they say."""

import pytest
import torch

from mmdsr.analysis import benchmark
from mmdsr.analysis.flops import cost_parts, example_inputs
from mmdsr.analysis.unfold_matching import unfold_match_and_transfer
from mmdsr.models.networks import DRIMM, DSRNet

CPU = torch.device('cpu')


def small_net():
    torch.manual_seed(0)
    return DSRNet(
        channels=8,
        encoder_blocks=(1, 1, 1),
        decoder_blocks=(1,) * 6,
        depth_net=dict(type='mmdsr.DepthUNet', base_channels=8),
    )


@pytest.mark.parametrize(
    'options',
    [{}, dict(block_size=8, dilations=(1, 2, 3), score_mode='bilinear')],
)
def test_drimm_equals_the_unfolding_version(options):
    generator = torch.Generator().manual_seed(0)

    def random(height, width):
        return torch.randn(1, 6, height, width, generator=generator)

    drimm = DRIMM(**options)
    lr_feat, ref_down_feat = random(32, 48), random(36, 28)
    refs = [random(36 * s, 28 * s) for s in (1, 2, 4)]
    ours, score, *_ = drimm(lr_feat, ref_down_feat, refs)
    literal, literal_score = unfold_match_and_transfer(
        drimm, lr_feat, ref_down_feat, refs
    )
    torch.testing.assert_close(score, literal_score)
    for a, b in zip(ours, literal, strict=True):
        torch.testing.assert_close(a, b)


def test_parts_are_timed_and_add_up():
    net = small_net().eval()
    inputs = example_inputs(net, 32, 32)
    parts = set(cost_parts(net))
    seconds = benchmark.time_parts(net, inputs, repeats=2)
    assert set(seconds) == parts | {'total', 'dmm.drimm.match'}
    assert 0 < seconds['dmm.drimm.match'] < seconds['dmm.drimm']
    assert sum(seconds[part] for part in parts) <= 1.5 * seconds['total']


def test_peak_memory_sees_an_allocation():
    with benchmark.peak_memory(CPU) as memory:
        block = torch.ones(100_000_000 // 4)
        del block
    assert 90 < memory['peak'] - memory['before'] < 200


def test_training_step_changes_the_weights():
    net = small_net()
    before = net.decoder.conv_out.weight.clone()
    benchmark.training_step(net, example_inputs(net, 16, 16))()
    assert not torch.equal(before, net.decoder.conv_out.weight)
