"""Tables, JSON and figures as files."""

import csv
import io
import json

from matplotlib.figure import Figure
from PIL import Image

from mmdsr.io.reports import (
    csv_text,
    markdown_table,
    write_figure,
    write_json,
)


def test_tables():
    text = markdown_table(['', 'a'], iter([['x', '1.20'], ['y', '-']]))
    assert text.split('\n') == [
        '|    |    a |',
        '|:---|-----:|',
        '| x  | 1.20 |',
        '| y  |    - |',
    ]
    rows = [['x, y', None, 2], ['"', 0.1 + 0.2, None]]
    text = csv_text(['a', 'b', 'c'], rows)
    assert list(csv.DictReader(io.StringIO(text))) == [
        dict(a='x, y', b='', c='2'),
        dict(a='"', b='0.30000000000000004', c=''),
    ]


def test_files(tmp_path):
    write_json(tmp_path / 'sub/a.json', dict(a=[1, None]))
    text = (tmp_path / 'sub/a.json').read_text()
    assert json.loads(text) == dict(a=[1, None])
    assert text.endswith('\n')
    write_figure(tmp_path / 'a.png', Figure(figsize=(2, 1)), dpi=50)
    with Image.open(tmp_path / 'a.png') as image:
        assert image.size == (100, 50)
