"""Several data sets in fixed shares."""

from collections import Counter
from typing import ClassVar

import numpy as np
import pytest

from mmdsr.datasets.mixed_dataset import MixedDataset
from mmdsr.datasets.seeding import SeededIndex
from mmdsr.engine.check_data import check_data
from mmdsr.errors import UsageError
from mmdsr.registry import DATASETS


@DATASETS.register_module()
class Numbers:
    """Gives its name, the place, the seed and a random number."""

    METAINFO: ClassVar = dict(name='numbers')

    def __init__(self, name, size, pipeline=None):
        self.name, self.size, self.pipeline = name, size, pipeline
        self.metainfo = dict(name=name)

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        assert 0 <= index < self.size
        return self.name, int(index), index.seed


def mix(sizes, shares, **kwargs):
    names = 'abc'[: len(sizes)]
    return MixedDataset(
        [
            dict(type='mmdsr.Numbers', name=name, size=size)
            for name, size in zip(names, sizes, strict=True)
        ],
        shares,
        **kwargs,
    )


@pytest.mark.parametrize(
    ('sizes', 'shares'),
    [
        ((10, 10), (0.5, 0.5)),
        ((6, 90), (0.5, 0.5)),
        ((90, 7), (0.25, 0.75)),
        ((5, 31, 8), (0.2, 0.2, 0.6)),
        ((4,), (1.0,)),
        # Ends at half a sample.
        ((1, 5, 3), (0.15, 0.5, 0.35)),
    ],
)
def test_shares(sizes, shares):
    dataset = mix(sizes, shares)
    drawn = list(dataset)
    assert len(drawn) == len(dataset)
    counts = Counter(name for name, *_ in drawn)
    for name, size, share in zip('abc', sizes, shares, strict=False):
        assert abs(counts[name] / len(dataset) - share) < 0.51 / min(sizes)
        places = Counter(place for who, place, _ in drawn if who == name)
        # Every one at least once, and none much more often than another.
        assert set(places) == set(range(size))
        assert max(places.values()) - min(places.values()) <= 1
    with pytest.raises(IndexError):
        dataset[len(dataset)]
    with pytest.raises(IndexError):
        dataset[-1]


def test_seeds_pass_through():
    dataset = mix((3, 5), (0.5, 0.5))
    assert dataset[SeededIndex(7, 42)] == ('b', 2, 42)
    assert dataset[7] == ('b', 2, None)
    assert dataset.metainfo == dict(name='a')


def test_a_pipeline_for_those_without_one():
    dataset = MixedDataset(
        [
            dict(type='mmdsr.Numbers', name='a', size=2),
            dict(type='mmdsr.Numbers', name='b', size=2, pipeline=['own']),
        ],
        [0.5, 0.5],
        pipeline=['common'],
    )
    assert [d.pipeline for d in dataset.datasets] == [['common'], ['own']]


def test_augmentation_follows_the_seed(refsr_root):
    def noise(info):
        return dict(stem=info['stem'], value=np.random.random())

    config = dict(type='mmdsr.RefSRDataset', data_root=str(refsr_root))
    dataset = MixedDataset([config, config], [0.5, 0.5], pipeline=[noise])
    first = dataset[SeededIndex(5, 3)]
    np.random.random()
    assert dataset[SeededIndex(5, 3)] == first
    assert dataset[SeededIndex(5, 4)]['value'] != first['value']


@pytest.mark.parametrize(
    'shares', [(0.5,), (0.5, 0.6), (1.0, 0.0), (1.5, -0.5)]
)
def test_refuses(shares):
    with pytest.raises(ValueError, match='shares'):
        mix((3, 3), shares)


def test_a_missing_part_is_named(tmp_path, refsr_root):
    parts = [
        dict(type='mmdsr.RefSRDataset', data_root=str(root))
        for root in (refsr_root, tmp_path / 'none')
    ]
    cfg = dict(
        train_dataloader=dict(
            dataset=dict(type='mmdsr.MixedDataset', datasets=parts)
        )
    )
    with pytest.raises(UsageError, match=r'datasets\.1\.data_root=FOLDER'):
        check_data(cfg, ['train_dataloader'])
