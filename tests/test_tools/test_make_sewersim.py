import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / 'tools/dataset_converters/make_sewersim.py'
SMALL = ('--runs', '2', '--frames', '1', '--size', '64', '64')


def call(*args):
    return subprocess.run(
        [sys.executable, str(TOOL), *map(str, args)],
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_makes_repeats_refuses_and_overwrites(tmp_path):
    out = tmp_path / 'data'
    first = call(out, *SMALL, '--workers', '2')
    assert first.returncode == 0, first.stderr
    assert '2 runs of 1 samples' in first.stdout
    assert (out / 'train/hr/run0000_0000.png').is_file()
    assert (out / 'test/depth_lr/run0001_0000.png').is_file()
    manifest = (out / 'manifest.json').read_bytes()

    again = call(out, *SMALL, '--workers', '1')
    assert again.returncode == 0
    assert 'nothing to do' in again.stdout

    other = call(out, *SMALL, '--seed', '1')
    assert other.returncode == 2
    assert 'exists' in other.stderr
    assert (out / 'manifest.json').read_bytes() == manifest

    new = call(out, *SMALL, '--seed', '1', '--workers', '1', '--overwrite')
    assert new.returncode == 0, new.stderr
    assert (out / 'manifest.json').read_bytes() != manifest
    assert [p.name for p in tmp_path.iterdir()] == ['data']


@pytest.mark.parametrize(
    ('args', 'word'),
    [
        (('--size', '66', '64'), 'multiples of 4'),
        (('--runs', '0'), 'at least 1'),
        (('--test-runs', '2', '--runs', '2'), 'leave a run'),
        (('--workers', '0'), 'workers'),
        (('--frames', 'many'), 'invalid int'),
        (('--framez', '3'), 'unrecognized'),
    ],
)
def test_wrong_arguments(tmp_path, args, word):
    result = call(tmp_path / 'data', *args)
    assert result.returncode == 2
    assert word in result.stderr
    assert 'Traceback' not in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_of_other_files_is_not_touched(tmp_path):
    (tmp_path / 'mine.txt').write_text('keep')
    result = call(tmp_path, *SMALL, '--overwrite')
    assert result.returncode == 2
    assert 'manifest' in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ['mine.txt']
