"""--cfg-options: what is typed, and what becomes of it."""

import argparse

import pytest
from mmengine.config import Config

from mmdsr.engine.options import (
    add_options_argument,
    merge_options,
    read_options,
)
from mmdsr.errors import UsageError


def _config():
    return Config(
        dict(
            data=dict(root='data/x', files=['a', 'b'], size=3),
            steps=[dict(name='one', by=1), dict(name='two')],
            load_from=None,
            extra=None,
            flag=True,
        )
    )


def _parse(*options):
    parser = argparse.ArgumentParser()
    add_options_argument(parser)
    return parser.parse_args(['--cfg-options', *options]).cfg_options


def _merged(*options):
    cfg = _config()
    merge_options(cfg, _parse(*options), 'x.py')
    return cfg


@pytest.mark.parametrize(
    'text', ['data set/x', 'a, b', 'Größe,1', '2024', 'true', '[a]', 'a=b']
)
def test_a_text_is_kept_as_typed(text):
    cfg = _merged(f'data.root={text}', f'load_from={text}')
    assert cfg.data.root == text
    assert type(cfg.data.root) is str
    assert _merged(f'steps.1.name={text}').steps[1].name == text
    # A path, though the config has none yet.
    if text != '[a]':
        assert cfg.load_from == text


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('7', 7),
        ('1e-3', 1e-3),
        ('False', False),
        ('None', None),
        ('a b', 'a b'),
        ("'a b'", 'a b'),
        ('1,2', [1, 2]),
        ('[(1, 2), c d]', [(1, 2), 'c d']),
        ('water level, crack', ['water level', 'crack']),
        ('', ''),
    ],
)
def test_other_values_are_read(text, value):
    for key in ('data.size', 'extra', 'flag', 'data.new.key', 'data.files'):
        cfg = _merged(f'{key}={text}')
        for part in key.split('.'):
            cfg = cfg[part]
        assert cfg == value, key
        assert type(cfg) is type(value), key


def test_none_and_quotes_where_a_text_is():
    assert _merged('data.root=None').data.root is None
    assert _merged('data.root="a b"').data.root == 'a b'


def test_without_a_config():
    options = _parse('a=1', 'data_root=my data', 'c=x,y')
    assert read_options(options) == {
        'a': 1,
        'data_root': 'my data',
        'c': ['x', 'y'],
    }
    assert read_options({'a': [1]}) == {'a': [1]}
    assert read_options(None) == {}


@pytest.mark.parametrize('text', ['a', '=3', ''])
def test_no_key(text, capsys):
    with pytest.raises(SystemExit) as caught:
        _parse(text)
    assert caught.value.code == 2
    assert 'is not KEY=VALUE' in capsys.readouterr().err


def test_unusable_options():
    for option in (
        'steps.7.name=x', 'data.size=[1,(2]', 'data.size=6,0 (a, then b)',
    ):  # fmt: skip
        with pytest.raises(UsageError, match='--cfg-options'):
            _merged(option)


@pytest.mark.parametrize(
    ('option', 'meant'),
    [('optim_wrappr.optimizer.lr=1', 'optim_wrapper'), ('dta.size=3', 'data')],
)
def test_an_option_that_nothing_reads(option, meant):
    with pytest.raises(UsageError, match=f"did you mean '{meant}'"):
        _merged(option)
    with pytest.raises(UsageError, match=r"x\.py has no 'zzz', and nothing"):
        _merged('zzz=1')


def test_options_that_the_runner_reads():
    cfg = _merged('randomness.seed=3', 'find_unused_parameters=True')
    assert cfg.randomness == {'seed': 3}
    assert cfg.find_unused_parameters is True
