"""Missing files are named before anything is built."""

import pytest
from mmengine.config import Config

from mmdsr.engine.check_data import check_data
from mmdsr.errors import UsageError


@pytest.fixture
def root(tmp_path):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'train.json').touch()
    return tmp_path


def _check(dataset, key='train_dataloader', **more):
    check_data(Config({key: dict(dataset=dataset), **more}), [key])


def _dataset(root, **changes):
    return {
        **dict(
            type='CocoDataset',
            data_root=str(root),
            ann_file='train.json',
            data_prefix=dict(img='images/', seg=''),
        ),
        **changes,
    }


def test_complete_data_passes(root):
    _check(_dataset(root))
    _check(_dataset(root, data_prefix='images', ann_file=''))
    _check(_dataset('', ann_file=str(root / 'train.json'), data_prefix=None))
    check_data(Config(dict(train_dataloader=None)), ['train_dataloader', 'x'])


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            dict(data_root='no/root'),
            r'no/root \(train_dataloader\).*dataset.data_root=FOLDER',
        ),
        (dict(ann_file='no.json'), r'no.json.*dataset.ann_file=FILE'),
        (
            dict(data_prefix=dict(img='no')),
            r'no \(train.*dataset.data_prefix.img=FOLDER',
        ),
        (dict(data_prefix='no'), r'dataset.data_prefix=FOLDER'),
    ],
)
def test_missing_data_is_named(root, changes, message):
    dataset = _dataset(root, **changes)
    with pytest.raises(UsageError, match=message):
        _check(dataset)
    inner = message.rpartition('dataset.')
    # The option is the one that reaches into the wrappers, too.
    repeated = dict(type='RepeatDataset', times=2, dataset=dataset)
    joined = dict(type='ConcatDataset', datasets=[_dataset(root), repeated])
    wrapped = f'{inner[0]}dataset.datasets.1.dataset.{inner[2]}'
    with pytest.raises(UsageError, match=wrapped):
        _check(joined)


def test_how_to_make_a_simulated_set():
    with pytest.raises(
        UsageError,
        match=r'make_sewersim\.py data/none/sewersim-pipe --name sewersim-p',
    ):
        _check(dict(type='CocoDataset', data_root='data/none/sewersim-pipe'))


def test_data_of_other_loaders_is_not_checked(root):
    _check(_dataset('s3://bucket/root', ann_file='s3://bucket/a.json'))
    _check(_dataset('no/root', backend_args=dict(backend='petrel')))
    # These fetch their files.
    _check(dict(type='mmpretrain.CIFAR10', data_root='no/root'))


def test_annotations_of_the_evaluator(root):
    good = dict(type='CocoMetric', ann_file=str(root / 'train.json'))
    bad = dict(type='CocoMetric', ann_file='no.json')
    key = 'val_dataloader'
    _check(_dataset(root), key, val_evaluator=good)
    with pytest.raises(UsageError, match=r'val_evaluator\.ann_file=FILE'):
        _check(_dataset(root), key, val_evaluator=bad)
    with pytest.raises(UsageError, match=r'val_evaluator\.1\.ann_file=FILE'):
        _check(_dataset(root), key, val_evaluator=[good, bad])


@pytest.mark.parametrize('root', ['C:/no/data', r'C:\no\data', 'no/data'])
def test_a_drive_is_no_address(root):
    with pytest.raises(UsageError, match='does not exist'):
        _check(_dataset(root))
