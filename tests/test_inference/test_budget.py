"""What is done at once depends on the image and the free memory."""

import math

import pytest
import torch
from inference_cases import pipe

from mmdsr.inference import SuperResolver, budget, enlarging

NANO = 'dsrnet_nano_quick'
CPU = torch.device('cpu')


def test_tiles_are_the_largest_that_fit():
    takes = math.prod
    assert budget.choose_tile(takes, (100, 300), 16, 16, 30_000) is None
    # Up to 256 pixels, and never fewer than 64.
    assert budget.choose_tile(takes, (300, 900), 16, 16, 256**2) == 256
    assert budget.choose_tile(takes, (300, 900), 16, 16, 100**2) == 96
    # A flat image takes less.
    assert budget.choose_tile(takes, (32, 900), 16, 16, 32 * 100) == 96
    with pytest.raises(MemoryError, match='900x300 pixels need about'):
        budget.choose_tile(takes, (300, 900), 16, 16, 63**2)


def test_what_else_takes_memory_is_left_free(monkeypatch):
    monkeypatch.setattr(budget, 'free_memory', lambda device: 10**9)
    assert budget.budget(CPU) == 0.6 * 10**9
    assert budget.budget(CPU, reserve=5 * 10**8) == 0.6 * 5 * 10**8
    monkeypatch.setattr(budget, 'free_memory', lambda device: None)
    assert budget.budget(CPU) == 1.5 * 2**30
    assert budget.batch_size(CPU) == 1


def test_little_memory_means_tiles(monkeypatch):
    image = pipe(40, 200)
    resolver = SuperResolver(weights=NANO)
    whole = resolver([image])[0]
    network = resolver._network.module
    limit = budget.need(network, (40, 100), (160, 528))
    monkeypatch.setattr(budget, 'budget', lambda *_: limit)
    seen = []
    forward = enlarging._forward

    def record(network, parts, settings):
        seen.extend(lr.shape[-1] for lr, _ in parts)
        return forward(network, parts, settings)

    monkeypatch.setattr(enlarging, '_forward', record)
    tiled = resolver([image])[0]
    assert len(seen) > 1 and max(seen) <= 112
    assert (tiled - whole).abs().mean() < 1
    monkeypatch.setattr(budget, 'budget', lambda *_: 1000)
    with pytest.raises(MemoryError, match=r'b.png: 200x40 pixels need about'):
        resolver([image], [dict(img_path='b.png')])


def test_running_out_of_memory_is_helped_by_tiles(monkeypatch):
    image = pipe(32, 160)
    resolver = SuperResolver(weights=NANO)
    forward = enlarging._forward

    def run_out(network, parts, settings):
        if max(parts[0][0].shape) > 100:
            raise RuntimeError('DefaultCPUAllocator: not enough memory')
        return forward(network, parts, settings)

    monkeypatch.setattr(enlarging, '_forward', run_out)
    assert resolver([image])[0].shape == (3, 128, 640)
    fixed = SuperResolver(weights=NANO, tile=128)
    with pytest.raises(MemoryError, match=r'160x32 pixels.*leave out tile'):
        fixed([image])
