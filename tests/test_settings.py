"""One spelling of a setting serves Python, the command line and the docs."""

import argparse
import inspect
import math
from dataclasses import dataclass, field, fields

import pytest

from mmdsr.evidence.options import EvidenceOptions
from mmdsr.recording.options import RecordingOptions
from mmdsr.settings import Settings, setting
from mmdsr.video.options import VideoOptions


def halves(text):
    if text == 'odd':
        raise ValueError('odd is no number.')
    return int(text) / 2


@dataclass(frozen=True)
class Sample(Settings):
    """A sample.

    Raises:
        ValueError: Sometimes.
    """

    size: tuple[int, int] = setting((4, 6), 'size (%(default)s)', least=2)
    seeds: tuple[int, ...] = setting((0,), 'all', metavar='SEED')
    share: float | None = setting(None, 'a share', least=0, most=1)
    kind: str = setting('a', 'a kind', choices=('a', 'b'))
    half: float = setting(1.0, 'a half', parse=halves)
    some_flag: bool = setting(False, 'on')
    other: bool = setting(True, 'off')
    word: str | None = setting(None, 'a word', const='yes')
    near: int = setting(1, 'near', rival='place', group='places')
    far: int | None = setting(None, 'far', rival='place', group='places')
    inner: int = setting(3, 'not on the command line', option=False)
    plain: list = field(default_factory=list)


def parse(*words, kind=Sample, **how):
    parser = argparse.ArgumentParser(exit_on_error=False)
    kind.add_to(parser, **how)
    return parser.parse_args(words)


@pytest.mark.parametrize(
    'kind', [Sample, EvidenceOptions, RecordingOptions, VideoOptions]
)
def test_options_default_to_field_defaults(kind):
    args = parse(kind=kind)
    assert set(vars(args)) == set(kind.option_names())
    assert set(vars(args).values()) == {None}
    assert kind.read(args) == kind()


@pytest.mark.parametrize(
    ('words', 'expected'),
    [
        (['--size', '8', '10'], {'size': (8, 10)}),
        (['--seeds', '3', '1', '2'], {'seeds': (3, 1, 2)}),
        (['--share', '0'], {'share': 0.0}),
        (['--kind', 'b'], {'kind': 'b'}),
        (['--half', '3'], {'half': 1.5}),
        (['--some-flag', '--no-other'], {'some_flag': True, 'other': False}),
        (['--word'], {'word': 'yes'}),
        (['--far', '0'], {'far': 0}),
    ],
)
def test_values_have_the_types_of_the_fields(words, expected):
    made = Sample.read(parse(*words), inner=5)
    assert made == Sample(**expected, inner=5)
    for name, value in expected.items():
        assert type(getattr(made, name)) is type(value)


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--size', '8'], 'expected 2 arguments'),
        (['--share', 'x'], 'invalid float'),
        (['--kind', 'c'], 'invalid choice'),
        (['--near', '1', '--far', '2'], 'not allowed with'),
    ],
)
def test_argparse_refuses_other_types(words, message):
    with pytest.raises(argparse.ArgumentError, match=message):
        parse(*words)


def test_there_are_no_other_options():
    for words in (['--inner', '1'], ['--plain', '1'], ['--other']):
        with pytest.raises((argparse.ArgumentError, SystemExit)):
            parse(*words)
    assert 'kind' not in vars(parse(leave_out=['kind']))


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        ({'size': (1, 5)}, 'size must be at least 2, not 1 5.'),
        ({'share': 1.5}, 'share must be at least 0 and at most 1, not 1.5.'),
        ({'share': math.nan}, 'share must be at least 0 and at most 1'),
        ({'kind': 'c'}, "kind must be one of a, b, not 'c'."),
    ],
)
def test_ranges_are_checked_in_python(wrong, message):
    with pytest.raises(ValueError, match=f'^{message}'):
        Sample(**wrong)


def test_text_parser_uses_its_own_message():
    with pytest.raises(ValueError, match=r'^odd is no number\.$'):
        Sample.read(parse('--half', 'odd'))


@pytest.mark.parametrize(
    'kind', [Sample, EvidenceOptions, RecordingOptions, VideoOptions]
)
def test_the_documentation_has_every_setting_once(kind):
    text = inspect.getdoc(kind)
    about = text[text.index('Attributes:') :]
    for one in fields(kind):
        assert about.count(f'\n    {one.name}: ') == (one.name != 'plain')
    assert '%(default)s' not in text


def test_the_help_has_the_defaults():
    parser = argparse.ArgumentParser()
    Sample.add_to(parser)
    assert 'size (4 6)' in parser.format_help()
    assert '\nplaces:\n  --near' in parser.format_help()
