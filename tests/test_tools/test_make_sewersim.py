import json
import os
import signal
import subprocess
import time
from functools import partial

import pytest
import tool_runs

TOOL = 'dataset_converters/make_sewersim.py'
SMALL = ('--runs', '2', '--frames', '1', '--size', '64', '64')

call = partial(tool_runs.call, TOOL)


def test_makes_repeats_refuses_overwrites_and_verifies(tmp_path):
    out = tmp_path / 'data'
    first = call(out, *SMALL, '--workers', '2')
    assert first.returncode == 0, first.stderr
    assert '2 samples of 2 runs' in first.stdout
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

    good = call('--verify', out)
    assert good.returncode == 0, good.stderr
    victim = out / 'test/ref/run0001_0000.png'
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    bad = call('--verify', out)
    assert bad.returncode == 1
    assert bad.stdout.splitlines()[-1] == 'changed: test/ref/run0001_0000.png'
    assert bad.stderr.endswith(': 1 changed\n')
    (out / 'test/lr/run0001_0000.png').unlink()
    (out / 'test/lr/mine.png').write_bytes(b'')
    bad = call('--verify', out)
    assert bad.stderr.endswith(': 1 missing, 1 changed, 1 not listed\n')


@pytest.mark.slow
@pytest.mark.skipif(os.name == 'nt', reason='signals differ')
def test_the_next_call_resumes_after_ctrl_c(tmp_path):
    out = tmp_path / 'data'
    many = ('--runs', '3', '--frames', '12', '--size', '96', '64')
    process = subprocess.Popen(
        tool_runs.command(TOOL, out, *many, '--workers', 2),
        env=tool_runs.environment(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 100
    while not list(tmp_path.glob('.data.partial/train/hr/*.png')):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    # A terminal sends the signal to the whole group.
    os.killpg(process.pid, signal.SIGINT)
    message = process.communicate(timeout=60)[1]
    assert process.returncode == 130, message
    assert 'Traceback' not in message
    assert 'to resume' in message
    assert not out.exists()
    finished = {
        path: path.stat().st_mtime_ns
        for path in tmp_path.glob('.data.partial/*/hr/*.png')
    }
    assert 0 < len(finished) < 36
    done = call(out, *many)
    assert done.returncode == 0, done.stderr
    kept = [
        path
        for path, stamp in finished.items()
        if (out / path.parent.parent.name / 'hr' / path.name)
        .stat()
        .st_mtime_ns
        == stamp
    ]
    # At most the sample that each worker was writing is written again.
    assert len(kept) >= len(finished) - 2
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
        (('--subset', 'mini'), 'add --name'),
        (('--name', 'sewersim-xl'), 'invalid choice'),
        (
            ('--name', 'sewersim-ml', '--test-runs', '2', '--runs', '3'),
            '--runs, --test-runs: only for custom',
        ),
        (
            ('--name', 'sewersim-pipe', '--degradation', 'realistic'),
            'no low-resolution',
        ),
        (
            ('--name', 'sewersim-ml', '--steps', 'even'),
            'omit the steps',
        ),
        (('--steps', 'odd'), 'invalid choice'),
        (('--name', 'sewersim-sr', '--seed', '-1'), 'negative'),
        (('--verify',), 'not a data set'),
    ],
)
def test_wrong_arguments(tmp_path, args, word):
    result = call(tmp_path / 'data', *args)
    assert result.returncode == 2
    assert word in ' '.join(result.stderr.split())
    assert 'Traceback' not in result.stderr
    assert not list(tmp_path.iterdir())


def test_steps(tmp_path):
    """Spread steps are another data set, and the manifest says so."""
    steps = ('even', 'spread')
    for name in steps:
        args = () if name == 'even' else ('--steps', name)
        out = tmp_path / name
        done = call(out, *SMALL, '--workers', '1', *args)
        assert done.returncode == 0, done.stderr
        manifest = json.loads((out / 'manifest.json').read_text())
        assert f'"name": "{name}"' in json.dumps(manifest)
    refs = [
        (tmp_path / name / 'train/ref/run0000_0000.png').read_bytes()
        for name in steps
    ]
    assert refs[0] != refs[1]


def test_a_folder_of_other_files_is_not_touched(tmp_path):
    (tmp_path / 'mine.txt').write_text('keep')
    result = call(tmp_path, *SMALL, '--overwrite')
    assert result.returncode == 2
    assert 'manifest' in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ['mine.txt']
