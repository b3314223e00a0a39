"""Lists of files."""

from itertools import permutations
from pathlib import Path

import pytest

from mmdsr.io.listing import missing_files, natural_order, some


def test_numbers_count_and_case_does_not():
    names = ['f10', 'f9', '10', '9', 'F8', 'f9b']
    assert natural_order(names) == ['9', '10', 'F8', 'f9', 'f9b', 'f10']
    paths = [Path('b10/1'), Path('B9/2'), Path('b9/10')]
    assert natural_order(paths) == [paths[1], paths[2], paths[0]]
    pairs = [('f10', 1), ('f9', 2)]
    assert natural_order(pairs, lambda pair: pair[0]) == pairs[::-1]


def test_the_order_does_not_depend_on_the_listing():
    names = ['f1', 'F1', 'f01', 'f2']
    orders = {tuple(natural_order(o)) for o in permutations(names)}
    assert orders == {('F1', 'f01', 'f1', 'f2')}


def test_missing_files(tmp_path):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a/1.png').touch()
    names = ['b/1.png', 'a/1.png', 'a/2.png', 'a']
    assert missing_files(tmp_path, names) == ['b/1.png', 'a/2.png', 'a']
    with pytest.raises(FileNotFoundError, match='set data_root'):
        missing_files(tmp_path / 'none', names)


def test_some():
    assert some(['a', 'b']) == 'a, b'
    assert some(['a', 'b', 'c'], 2) == 'a, b, ...'
