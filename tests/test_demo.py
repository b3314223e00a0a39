"""The notebooks of demo/, cell by cell, without a network connection."""

import json
import socket
from pathlib import Path

import matplotlib
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / 'demo').glob('*.ipynb'))


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path, monkeypatch, capsys):
    def refuse(*args, **kwargs):
        raise AssertionError('the notebook wants to go online')

    monkeypatch.setattr(socket.socket, 'connect', refuse)
    matplotlib.use('Agg')
    content = json.loads(path.read_text(encoding='utf-8'))
    scope = {'__name__': '__main__'}
    cells = [c for c in content['cells'] if c['cell_type'] == 'code']
    for cell in cells:
        # Outputs are not kept: they would be of some older version.
        assert not cell['outputs']
        exec(compile(''.join(cell['source']), str(path), 'exec'), scope)
    gains = {
        line.split()[0]: float(line.split()[1])
        for line in capsys.readouterr().out.splitlines()
        if 'over bicubic' in line
    }
    assert gains['right'] > gains['none'] + 3
    assert abs(gains['wrong'] - gains['none']) < 0.1


def test_there_is_one():
    assert NOTEBOOKS
