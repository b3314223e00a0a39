"""The single-image rows of Table 2, and where ours differ from them."""

import json
from pathlib import Path

import pytest

from mmdsr.analysis.flops import count_cost, example_inputs
from mmdsr.registry import MODELS

COUNTS = json.loads(
    (Path(__file__).parents[1] / 'data/sisr_counts.json').read_text()
)['models']
#: Pixels of LR at which Table 2 counts.
PIXELS = 128 * 128
#: Two 1x1 convolutions subtract and add the mean in the counted code.
MEAN_SHIFT = 9 * 17 * PIXELS
#: One subtraction and one addition do so in ours.
MEAN = 3 * 17 * PIXELS
RES_SCALE = 64 * PIXELS


@pytest.mark.parametrize(
    ('name', 'row', 'params', 'masa', 'macs'),
    [
        # mmagic divides and multiplies by a deviation of 1, too.
        ('EDSR', 'edsr', -24, 2 * MEAN - MEAN_SHIFT, -MEAN_SHIFT),
        # Products with a residual scale of 1 are left out: 20 blocks and two
        # of the pre-processing.
        ('MDSR', 'mdsr', -24, MEAN - MEAN_SHIFT - 22 * RES_SCALE, -MEAN_SHIFT),
        ('DBPN', 'ddbpn', -24, MEAN - MEAN_SHIFT, -MEAN_SHIFT),
        # spandrel works in [0, 255] and divides the result.
        pytest.param(
            *('RCAN', 'rcan', 0, 3 * 16 * PIXELS, 0), marks=pytest.mark.slow
        ),
    ],
)
def test_counts_differ_by_the_documented_amount(name, row, params, masa, macs):
    net = MODELS.build(dict(type=f'mmdsr.{name}')).eval()
    inputs = example_inputs(net, 128, 128)
    expected = COUNTS[row]
    own = sum(p.numel() for p in net.parameters())
    assert own - expected['params'] == params
    for convention, key, extra in (
        ('masa', 'flop_count_g', masa),
        ('macs', 'true_mac_g', macs),
    ):
        total = sum(count_cost(net, inputs, convention).values())
        assert (total - extra) / 1e9 == pytest.approx(expected[key], abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('light', 'params', 'macs', 'printed'),
    # The printed counts leave the products of the attention out, so that
    # they are smaller.
    [(False, 20_260_929, 460.533, 300.23), (True, 768_792, 26.393, 11.41)],
)
def test_counts_of_atd(light, params, macs, printed):
    options = dict(
        channels=48, depths=(6,) * 4, num_heads=4, category_size=128,
        num_tokens=64, reduced_channels=8, kernel_size=7, mlp_ratio=1,
        direct=True,
    )  # fmt: skip
    net = MODELS.build(dict(type='mmdsr.ATD', **(options if light else {})))
    assert sum(p.numel() for p in net.parameters()) == params
    total = sum(count_cost(net.eval(), example_inputs(net, 128, 128)).values())
    assert total / 1e9 == pytest.approx(macs, abs=1e-3)
    assert total / 1e9 > 1.5 * printed


def test_the_ensemble_costs_eight_times_as_much():
    single = dict(type='mmdsr.MDSR', channels=8, num_blocks=1)
    counts = []
    for config in (single, dict(type='mmdsr.SelfEnsemble', network=single)):
        net = MODELS.build(config).eval()
        inputs = example_inputs(net, 16, 24)
        counts.append(sum(count_cost(net, inputs).values()))
    assert counts[1] == 8 * counts[0]
