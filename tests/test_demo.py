"""Notebooks and device examples of demo/, without a network connection.

The C++ example is built and run where ``ONNXRUNTIME_INCLUDE`` names the folder
of ``onnxruntime_cxx_api.h``; the library is that of the Python package.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from mmdsr import SuperResolver
from mmdsr.cli.export import main as export
from mmdsr.samples import FOLDER

DEMO = Path(__file__).parents[1] / 'demo'
NOTEBOOKS = sorted(DEMO.glob('*.ipynb'))
WEIGHTS = 'dsrnet_x_nano'
INCLUDE = os.environ.get('ONNXRUNTIME_INCLUDE')
#: Of rounding: the runtimes add up in another order.
MOST = 1


@pytest.mark.slow
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


@pytest.fixture(scope='module')
def device(tmp_path_factory):
    """Exported models, and the sample's frame and reference as PPM files."""
    pytest.importorskip('onnxruntime')
    pytest.importorskip('onnx')
    folder = tmp_path_factory.mktemp('device')
    assert export([WEIGHTS, '--dynamic', '--out', str(folder)]) == 0
    for name in ('frame.png', 'reference.jpg'):
        with Image.open(FOLDER / name) as image:
            image.convert('RGB').save(folder / f'{Path(name).stem}.ppm')
    return folder


def enhance(program, folder, model, *references):
    """Run an example and return its picture (H, W, 3), as whole numbers."""
    names = (model, 'frame.ppm', 'result.ppm', *references)
    done = subprocess.run(
        [*program, *names], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    with Image.open(folder / 'result.ppm') as image:
        return np.array(image, int)


def both_ways(program, folder):
    """Return the results without and with a reference."""
    return (
        enhance(program, folder, f'{WEIGHTS}-alone.onnx'),
        enhance(program, folder, f'{WEIGHTS}.onnx', 'reference.ppm'),
    )


def test_python_example(device):
    """It gives the pixels of the resolver, with and without a reference."""
    program = [sys.executable, str(DEMO / 'onnx/enhance.py')]
    alone, referred = both_ways(program, device)
    resolver = SuperResolver(weights=WEIGHTS)
    lr, ref = (
        np.array(Image.open(device / name))
        for name in ('frame.ppm', 'reference.ppm')
    )
    assert np.abs(alone - resolver.enhance(lr)).max() <= MOST
    assert np.abs(referred - resolver.enhance(lr, ref)).max() <= MOST
    assert np.abs(referred - alone).max() > 10


@pytest.mark.skipif(
    not INCLUDE or not shutil.which('c++'),
    reason='needs ONNXRUNTIME_INCLUDE and a C++ compiler',
)
def test_cpp_example(device):
    """It builds without a warning and gives the pixels of the Python one."""
    import onnxruntime

    capi = Path(onnxruntime.__file__).parent / 'capi'
    (library,) = capi.glob('libonnxruntime.so.*')
    # The name by which the program asks for it when it starts.
    (device / 'libonnxruntime.so.1').symlink_to(library)
    program = device / 'enhance'
    subprocess.run(
        [
            *('c++', '-std=c++17', '-Wall', '-Wextra', '-Werror'),
            *(str(DEMO / 'onnx/enhance.cpp'), '-isystem', INCLUDE),
            *(str(library), f'-Wl,-rpath,{device}', '-o', str(program)),
        ],
        check=True,
    )
    python = [sys.executable, str(DEMO / 'onnx/enhance.py')]
    for found, wanted in zip(
        both_ways([str(program)], device),
        both_ways(python, device),
        strict=True,
    ):
        assert np.abs(found - wanted).max() <= MOST
    for model, source, says in (
        (f'{WEIGHTS}.onnx', 'frame.ppm', 'takes 2 image(s), not 1'),
        (f'{WEIGHTS}-alone.onnx', 'enhance', 'is no binary 8-bit PPM'),
    ):
        done = subprocess.run(
            [str(program), model, source, 'none.ppm'],
            cwd=device,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert says in done.stderr
        assert not (device / 'none.ppm').exists()
