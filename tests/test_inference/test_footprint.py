"""Memory of unknown networks, against sizes worked by hand."""

import math

import pytest
from torch import nn

from mmdsr.inference import budget
from mmdsr.inference.footprint import bytes_per_pixel
from mmdsr.registry import MODELS

SINGLE = dict(type='mmdsr.MDSR', channels=8, num_blocks=1)


def test_peak_counts_tensors_alive_at_the_same_time():
    net = nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(64, 8, 3, padding=1),
        nn.Conv2d(8, 8, 3, padding=1),
    )
    # The wide map and the first narrow one; the ReLU needs no memory, and
    # the wide map is gone before the last one.
    assert bytes_per_pixel(net) == 4 * (64 + 8)
    net = nn.Sequential(nn.Conv2d(3, 16, 1), nn.PixelShuffle(4))
    # A shuffle copies.
    assert bytes_per_pixel(net) == 4 * (16 + 16)


def test_tiles_follow_from_it():
    net = MODELS.build(SINGLE).eval()
    known = bytes_per_pixel(net)
    one, four = (budget.need(net, (64, s), (64, s)) for s in (64, 256))
    assert four == pytest.approx(4 * one)
    assert one > known * 64 * 64
    ensemble = MODELS.build(dict(type='mmdsr.SelfEnsemble', network=SINGLE))
    more = budget.need(ensemble.eval(), (64, 64), (64, 64)) - one
    assert more == pytest.approx(8 * 3 * 4 * math.prod((256, 256)))
