"""What tells two networks apart in the settings of an export."""

import copy

import pytest
import torch

from mmdsr.inference.sources import digest_of
from mmdsr.models.networks import DRIMM, FlowNet


def _with_weights_of(network, other):
    network.load_state_dict(other.state_dict())
    return network


def test_equal_networks():
    torch.manual_seed(0)
    one = FlowNet(widths=(8, 8, 8, 8))
    other = _with_weights_of(FlowNet(widths=(8, 8, 8, 8)), one)
    assert digest_of(one) == digest_of(other.eval())


@pytest.mark.parametrize(
    ('kind', 'options', 'others'),
    [
        (FlowNet, {}, {'repeats': (1, 1, 1, 2)}),
        (DRIMM, {'block_size': 8}, {'block_size': 16}),
        (DRIMM, {'dilations': (1,)}, {'dilations': (1, 2)}),
    ],
)
def test_an_option_without_weights_counts(kind, options, others):
    one = kind(**options)
    other = _with_weights_of(kind(**{**options, **others}), one)
    assert digest_of(one) != digest_of(other)


def test_a_weight_counts():
    one = FlowNet()
    other = copy.deepcopy(one)
    with torch.no_grad():
        next(other.parameters()).flatten()[0] += 1e-3
    assert digest_of(one) != digest_of(other)
