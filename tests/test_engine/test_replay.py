"""Order and augmentation depend on seed and position only."""

import pickle
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from torch.utils.data import DataLoader, Dataset

from mmdsr.datasets.seeding import SeededIndex, seeded_random
from mmdsr.engine import ReplaySampler, SkipSeenDataHook
from mmdsr.registry import DATA_SAMPLERS, HOOKS


class Noise(Dataset):
    """A data set that augments with all three generators."""

    def __init__(self, size=7):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        with seeded_random(index):
            return (
                int(index),
                random.random(),
                np.random.rand(),
                torch.rand(()).item(),
            )


def _take(iterable, count):
    iterator = iter(iterable)
    return [next(iterator) for _ in range(count)]


def _seen(draws):
    return [(int(draw), draw.seed) for draw in draws]


def test_every_sample_once_per_pass_in_changing_order():
    draws = _take(ReplaySampler(range(7), seed=1), 21)
    passes = [draws[i : i + 7] for i in (0, 7, 14)]
    assert all(sorted(p) == list(range(7)) for p in passes)
    assert passes[0] != passes[1] != passes[2]
    assert len({draw.seed for draw in draws}) == 21


def test_seed_decides():
    first, same, other = (
        _seen(_take(ReplaySampler(range(9), seed=seed), 9))
        for seed in (1, 1, 2)
    )
    assert first == same != other


@pytest.mark.parametrize('start', [1, 7, 16])
def test_can_start_anywhere(start):
    whole = _seen(_take(ReplaySampler(range(7), seed=3), 30))
    sampler = ReplaySampler(range(7), seed=3)
    sampler.start = start
    assert _seen(_take(sampler, 30 - start)) == whole[start:]


@pytest.mark.parametrize('infinite', [True, False])
def test_ranks_share_one_sequence(monkeypatch, infinite):
    whole = _seen(_take(ReplaySampler(range(8), seed=3), 8))
    parts = []
    for rank in range(2):
        monkeypatch.setattr(
            'mmdsr.engine.replay.get_dist_info', lambda rank=rank: (rank, 2)
        )
        sampler = ReplaySampler(range(8), seed=3, infinite=infinite)
        parts.append(_seen(_take(sampler, 4)))
    assert parts[0] == whole[::2]
    assert parts[1] == whole[1::2]


def test_finite_passes(monkeypatch):
    sampler = ReplaySampler(range(5), seed=0, infinite=False)
    first = _seen(sampler)
    assert len(first) == len(sampler) == 5
    assert _seen(sampler) == first
    sampler.set_epoch(1)
    second = _seen(sampler)
    assert sorted(i for i, _ in second) == list(range(5))
    assert not {seed for _, seed in first} & {seed for _, seed in second}
    # Ranks that do not divide the data get equally many, all of it.
    parts = []
    for rank in range(2):
        monkeypatch.setattr(
            'mmdsr.engine.replay.get_dist_info', lambda rank=rank: (rank, 2)
        )
        parts.append(_seen(ReplaySampler(range(5), seed=0, infinite=False)))
    assert [len(part) for part in parts] == [3, 3]
    assert {i for part in parts for i, _ in part} == set(range(5))


def test_without_shuffling():
    draws = _take(ReplaySampler(range(4), shuffle=False, seed=0), 6)
    assert draws == [0, 1, 2, 3, 0, 1]


def test_empty_data_set():
    with pytest.raises(ValueError, match='empty'):
        ReplaySampler([])


def test_seeded_index_is_an_int_that_travels():
    index = pickle.loads(pickle.dumps(SeededIndex(3, 9)))
    assert index == 3
    assert index.seed == 9
    assert ['a', 'b', 'c', 'd'][index] == 'd'


def test_seeded_random_restores_the_generators():
    torch.manual_seed(0), np.random.seed(0), random.seed(0)
    expected = torch.rand(2).tolist(), np.random.rand(), random.random()
    torch.manual_seed(0), np.random.seed(0), random.seed(0)
    first = torch.rand(1).item()

    def fail():
        with seeded_random(SeededIndex(0, 5)):
            torch.rand(3), np.random.rand(3), random.random()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    rest = torch.rand(1).item()
    assert ([first, rest], np.random.rand(), random.random()) == expected


@pytest.mark.parametrize('workers', [0, 2])
def test_augmentation_does_not_depend_on_workers(workers):
    def loader(workers):
        return DataLoader(
            Noise(),
            batch_size=2,
            num_workers=workers,
            sampler=ReplaySampler(Noise(), seed=4),
            collate_fn=pseudo_collate,
        )

    torch.manual_seed(workers)
    expected = _take(loader(0), 5)
    torch.manual_seed(99)
    assert _take(loader(workers), 5) == expected


@pytest.mark.parametrize(('workers', 'persistent'), [(0, False), (1, True)])
def test_hook_skips_seen_samples(workers, persistent):
    def runner(iteration):
        loop = IterBasedTrainLoop.__new__(IterBasedTrainLoop)
        dataset = Noise()
        loop.dataloader = DataLoader(
            dataset,
            batch_size=3,
            num_workers=workers,
            persistent_workers=persistent,
            sampler=ReplaySampler(dataset, seed=4),
            collate_fn=pseudo_collate,
        )
        loop._iter = iteration
        loop.dataloader_iterator = iter(loop.dataloader)
        return SimpleNamespace(train_loop=loop, seed=4, _randomness_cfg={})

    hook = HOOKS.build(dict(type='mmdsr.SkipSeenDataHook'))
    assert isinstance(hook, SkipSeenDataHook)
    fresh = runner(0)
    iterator = fresh.train_loop.dataloader_iterator
    hook.before_train_epoch(fresh)
    assert fresh.train_loop.dataloader_iterator is iterator
    whole = _take(iterator, 7)

    resumed = runner(4)
    hook.before_train_epoch(resumed)
    rest = _take(resumed.train_loop.dataloader_iterator, 7)
    assert rest == [None] * 4 + whole[4:]


@pytest.mark.parametrize('infinite', [False, True])
@pytest.mark.parametrize('alike', [False, True])
def test_hook_restores_the_seed_of_the_checkpoint(infinite, alike):
    kind = IterBasedTrainLoop if infinite else EpochBasedTrainLoop
    loop = kind.__new__(kind)
    sampler = ReplaySampler(Noise(), seed=4, infinite=infinite)
    loop.dataloader = DataLoader(Noise(), sampler=sampler)
    loop._iter = 0
    # mmengine has restored seed 9.
    runner = SimpleNamespace(
        train_loop=loop, seed=9, _randomness_cfg=dict(diff_rank_seed=not alike)
    )
    SkipSeenDataHook().before_train_epoch(runner)
    assert sampler.seed == 4
    loop._iter = 2
    SkipSeenDataHook().before_train_epoch(runner)
    # Processes of unlike seeds share that of the sampler.
    assert sampler.seed == (9 if alike else 4)


def test_hook_leaves_other_samplers_alone():
    loop = IterBasedTrainLoop.__new__(IterBasedTrainLoop)
    loop.dataloader = DataLoader(Noise())
    loop._iter = 3
    loop.dataloader_iterator = mark = object()
    SkipSeenDataHook().before_train_epoch(SimpleNamespace(train_loop=loop))
    assert loop.dataloader_iterator is mark


def test_registered():
    sampler = DATA_SAMPLERS.build(
        dict(type='mmdsr.ReplaySampler', dataset=range(3), seed=0)
    )
    assert len(sampler) == 3
