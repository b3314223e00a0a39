"""Flips and turns: undone exactly, and averaged over."""

import pytest
import torch

from mmdsr.inference.sources import confidence_kind
from mmdsr.models.networks.self_ensemble import turn, turn_back
from mmdsr.registry import MODELS

EDGES = dict(type='mmdsr.MDSR', channels=4, num_blocks=1)
MASA = dict(
    type='mmdsr.MASASRNet', channels=8, encoder_blocks=(1, 1, 1),
    decoder_blocks=(1, 1, 1, 1, 1, 1),
)  # fmt: skip
DSRNET = dict(
    MASA, type='mmdsr.DSRNet',
    depth_net=dict(type='mmdsr.DepthUNet', base_channels=8),
)  # fmt: skip


def ensemble(network):
    torch.manual_seed(0)
    return MODELS.build(dict(type='mmdsr.SelfEnsemble', network=network))


def test_eight_different_turns_that_are_undone():
    image = torch.arange(12.0).view(1, 1, 3, 4)
    turned = [turn(image, number) for number in range(8)]
    assert len({(x.shape, tuple(x.flatten().tolist())) for x in turned}) == 8
    for number, x in enumerate(turned):
        assert torch.equal(turn_back(x, number), image)


def test_the_result_turns_with_the_image():
    net = ensemble(EDGES).eval()
    lr = torch.rand(1, 3, 8, 11)
    with torch.no_grad():
        whole, one = net(lr), net.network(lr)
        for number in range(8):
            turned = net(turn(lr, number))
            assert torch.allclose(turned, turn(whole, number), atol=1e-6)
    assert not torch.allclose(whole, one, atol=1e-4)


def test_output_is_the_mean_of_eight_passes():
    net = ensemble(EDGES).eval()
    lr = torch.rand(1, 3, 8, 11)
    with torch.no_grad():
        parts = [
            net.network(lr),
            net.network(lr.flip(2)).flip(2),
            net.network(lr.flip(3)).flip(3),
            net.network(lr.flip(2, 3)).flip(2, 3),
        ]
        for rows, cols in ((0, 0), (1, 0), (0, 1), (1, 1)):
            x = lr.flip([2] * rows + [3] * cols).transpose(2, 3)
            x = net.network(x).transpose(2, 3)
            parts.append(x.flip([2] * rows + [3] * cols))
        assert torch.allclose(net(lr), sum(parts) / 8, atol=1e-6)


@pytest.mark.parametrize('network', [MASA, DSRNET], ids=['MASA', 'DSRNet'])
def test_references_turn_with_the_image(network):
    net = ensemble(network).eval()
    lr, ref = torch.rand(1, 3, 16, 32), torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        whole = net(lr, ref)
        other = net(turn(lr, 5), turn(ref, 5))
        output = net.explain(lr, ref)
        single = net.network.explain(lr, ref)
    assert torch.allclose(other, turn(whole, 5), atol=1e-4)
    assert torch.equal(output.sr, whole)
    assert torch.equal(output.confidence, single.confidence)
    assert (net.depth_net is None) == (network is MASA)


def test_given_depth_turns_too():
    net = ensemble(dict(DSRNET, depth_net=None)).eval()
    assert net.needs_depth
    lr, ref = torch.rand(1, 3, 16, 32), torch.rand(1, 3, 64, 128)
    maps = dict(
        depth=torch.rand(1, 1, 16, 32), depth_ref=torch.rand(1, 1, 16, 32)
    )
    with torch.no_grad():
        whole = net(lr, ref, **maps)
        turned = {name: turn(x, 6) for name, x in maps.items()}
        other = net(turn(lr, 6), turn(ref, 6), **turned)
    assert torch.allclose(other, turn(whole, 6), atol=1e-4)


def test_a_training_step_runs_the_network_once():
    net = ensemble(EDGES)
    lr = torch.rand(1, 3, 8, 11)
    assert torch.equal(net(lr), net.network(lr))
    assert torch.equal(net.explain(lr).sr, net.network(lr))


def test_it_takes_what_the_network_takes():
    net = ensemble(dict(type='mmdsr.DSRNetX', channels=4, num_blocks=1))
    assert net.takes_unknown_depth
    assert confidence_kind(net) == confidence_kind(net.network) == 'share'
    assert not ensemble(MASA).takes_unknown_depth
    assert confidence_kind(ensemble(MASA)) == 'score'
