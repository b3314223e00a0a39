"""The command ``mmdsr``: which words lead where."""

import json
import signal
import subprocess
import sys
from contextlib import redirect_stderr
from io import StringIO

import numpy as np
import pytest
from PIL import Image
from tool_runs import ROOT, environment

from mmdsr import __version__
from mmdsr.cli import commands, convert
from mmdsr.cli.main import COMMANDS, main
from mmdsr.weights import available, weight_path

#: Where the module of each command is called from, too.
TOOLS = {
    'mmdsr enhance': 'super_resolve.py',
    'mmdsr simulate': 'dataset_converters/make_sewersim.py',
    'mmdsr train': 'train.py',
    'mmdsr test': 'test.py',
    'mmdsr convert video': 'dataset_converters/video_to_refsr.py',
    'mmdsr convert frames': 'dataset_converters/frames_to_refsr.py',
    'mmdsr convert photos': 'dataset_converters/photos_to_refsr.py',
    'mmdsr convert pairs': 'dataset_converters/pairs_to_refsr.py',
    'mmdsr convert masks': 'dataset_converters/masks_to_coco.py',
    'mmdsr convert subset': 'dataset_converters/make_subset.py',
    'mmdsr convert depth': 'dataset_converters/make_depth.py',
    'mmdsr convert alignment': 'dataset_converters/cache_alignment.py',
    'mmdsr convert pack': 'dataset_converters/pack_refsr.py',
}


def ended(*argv):
    """Run the command; return its exit code."""
    try:
        return main([str(word) for word in argv]) or 0
    except SystemExit as stopped:
        return stopped.code or 0


def every_command():
    for name in COMMANDS:
        if name == 'convert':
            yield from (f'mmdsr convert {kind}' for kind in convert.COMMANDS)
        else:
            yield f'mmdsr {name}'


@pytest.mark.parametrize('line', list(every_command()))
def test_help_names_the_command(line, capsys):
    assert ended(*line.split()[1:], '--help') == 0
    usage = capsys.readouterr().out
    assert usage.startswith(f'usage: {line} [-h]')


def test_tools_call_the_same(tmp_path):
    own = {'doctor', 'export', 'sample', 'serve', 'verify', 'weights'}
    wanted = {*TOOLS, *(f'mmdsr {name}' for name in own)}
    assert wanted == set(every_command())
    for line, tool in TOOLS.items():
        module = '.'.join(['mmdsr.cli', *line.split()[1:]])
        text = (ROOT / 'tools' / tool).read_text()
        assert f'from {module} import main\n' in text
        assert f'The same as ``{line}``' in text


def test_version_and_wrong_words(capsys):
    assert ended('--version') == 0
    assert capsys.readouterr().out == f'mmdsr {__version__}\n'
    for argv, message in (
        ([], 'the following arguments are required: COMMAND'),
        (['enhence'], "invalid choice: 'enhence'"),
        (['convert'], 'mmdsr convert: error: the following arguments'),
        (['convert', 'film'], "invalid choice: 'film'"),
        (['train', 'none.py'], 'mmdsr train: error: The config none.py does'),
        (['weights', 'none'], "Error: There are no weights named 'none'"),
    ):
        assert ended(*argv) == 2
        assert message in capsys.readouterr().err


def test_weights(capsys, tmp_path):
    assert ended('weights') == 0
    table = capsys.readouterr().out
    assert all(name in table for name in available())
    assert '591,820' in table
    path = weight_path('dsrnet_student')
    for name in ('dsrnet_student', path):
        assert ended('weights', name) == 0
        meta = json.loads(capsys.readouterr().out)
        assert meta['generator']['type'] == 'mmdsr.DSRNet'
        assert meta['parameters'] == 591_820
        assert 'config' not in meta
    assert ended('weights', '--folder', tmp_path) == 0
    assert 'mmdsr.DSRNet' not in capsys.readouterr().out
    assert ended('weights', '--folder', tmp_path / 'none') == 2
    assert 'There is no folder' in capsys.readouterr().err


def test_enhance_makes_files(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (16, 20, 3), np.uint8)
    Image.fromarray(values).save(tmp_path / 'a.png')
    args = (tmp_path / 'a.png', tmp_path / 'out', '--interpolation', 'bicubic')
    with redirect_stderr(StringIO()) as said:
        assert ended('enhance', *args) == 0
    assert '1 of 1 images written' in said.getvalue()
    with Image.open(tmp_path / 'out/a.png') as image:
        assert image.size == (80, 64)


def test_a_process_of_its_own_needs_the_standard_library_only():
    """So that ``mmdsr doctor`` starts where nothing else does."""
    code = (
        'import sys\n'
        "for name in ('torch', 'numpy', 'mmengine', 'rich', 'cv2'):\n"
        '    sys.modules[name] = None\n'
        'from mmdsr.cli.main import main\n'
        "main(['doctor', '--help'])"
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert 'usage: mmdsr doctor' in done.stdout


def test_ctrl_c_before_a_command_has_started(monkeypatch, capsys):
    def stop(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, 'import_module', stop)
    assert ended('enhance', 'in', 'out') == 130
    assert capsys.readouterr().err == 'Interrupted.\n'


def test_python_dash_m():
    done = subprocess.run(
        [sys.executable, '-m', 'mmdsr', 'convert', '--help'],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert all(kind in done.stdout for kind in convert.COMMANDS)


@pytest.mark.parametrize('ignored', [False, True])
def test_an_interrupt_waits_for_the_imports(tmp_path, monkeypatch, ignored):
    """NumPy and torch would turn it into errors of other kinds."""
    (tmp_path / 'slow_command.py').write_text(
        'import os, signal\n'
        'os.kill(os.getpid(), signal.SIGINT)\n'
        'complete = True\n'
        'def main(argv, prog): return 7\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, 'slow_command', raising=False)
    known = {'slow': commands.Command('slow_command', 'slow to import')}
    before = signal.getsignal(signal.SIGINT)
    own = signal.SIG_IGN if ignored else signal.default_int_handler
    signal.signal(signal.SIGINT, own)
    try:
        if ignored:
            assert commands.run_command(known, ['slow'], 'x', 'a test') == 7
        else:
            with pytest.raises(KeyboardInterrupt):
                commands.run_command(known, ['slow'], 'x', 'a test')
        assert signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, before)
    assert sys.modules['slow_command'].complete
