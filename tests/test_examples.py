"""The examples in the docstrings of the package are true."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import mmdsr

FOLDER = Path(mmdsr.__file__).parent
MODULES = sorted(
    '.'.join(('mmdsr', *path.relative_to(FOLDER).with_suffix('').parts))
    for path in FOLDER.rglob('*.py')
    if '.mim' not in path.parts and '>>> ' in path.read_text(encoding='utf-8')
)


@pytest.mark.parametrize('module', MODULES)
def test_examples_of(module):
    name = module.removesuffix('.__init__')
    outcome = doctest.testmod(import_module(name), raise_on_error=False)
    assert outcome.attempted > 0
    assert outcome.failed == 0, 'see the captured output'


def test_examples_are_found():
    """In modules that a beginner meets first, at the least."""
    assert {
        'mmdsr.__init__',
        'mmdsr.evaluation.functional',
        'mmdsr.inference.super_resolver',
        'mmdsr.models.networks.matching',
        'mmdsr.weights.load',
    } <= set(MODULES)
