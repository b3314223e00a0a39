"""The commands that tools/dev/kill_test.py kills."""

import importlib.util
import subprocess
from pathlib import Path

import pytest

from mmdsr.dev.kill import contents, small_files

ROOT = Path(__file__).resolve().parents[2]


def _load():
    path = ROOT / 'tools/dev/kill_test.py'
    spec = importlib.util.spec_from_file_location('kill_test', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = _load()


@pytest.mark.slow
@pytest.mark.parametrize('name', TOOL.TOOLS)
def test_commands_run_to_their_end(name, tmp_path):
    small_files(tmp_path / 'in')
    folder = tmp_path / 'out'
    folder.mkdir()
    command = TOOL.TOOLS[name](tmp_path / 'in')
    done = subprocess.run(command(folder / 'out'), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert len(contents(folder, TOOL.LOGS)) > 1
    assert not list(folder.rglob('.*'))
