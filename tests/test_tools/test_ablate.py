"""tools/analysis_tools/ablate.py, as a user runs it."""

import json
import signal
import subprocess
import time

import pytest
from tool_runs import ROOT, call, command, environment

TOOL = 'analysis_tools/ablate.py'
SMALL = """
_base_ = {base!r}
model = dict(
    generator=dict(
        channels=8,
        encoder_blocks=(1, 1, 1),
        decoder_blocks=(1, 1, 1, 1, 1, 1),
        depth_net=dict(base_channels=8),
    )
)
train_dataloader = dict(batch_size=1)
param_scheduler = [dict(
    type='CosineAnnealingLR', by_epoch=False, begin=0, end=2000, T_max=2000)]
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval=2))
"""
STUDY = """
title: A small study
rows:
- {label: "A", config: small.py}
- label: B
  config: small.py
  options: {model.depth_loss: null, model.test_cfg.depth: zero}
"""
# 64 rows do not fit into LR images of 48x64.
DIVERGING = """
- label: C
  config: small.py
  options: {optim_wrapper.optimizer.lr: 1.0e+30}
"""


@pytest.fixture
def study(tmp_path):
    base = str(ROOT / 'configs/dsrnet/teacher_quick.py')
    (tmp_path / 'small.py').write_text(SMALL.format(base=base))
    path = tmp_path / 'study.yml'
    path.write_text(STUDY)
    return path


def _table(out):
    content = json.loads((out / 'table.json').read_text())
    return content['tables'], content['runs']


@pytest.mark.slow
def test_a_killed_study_ends_like_one_without_a_stop(
    study, tmp_path, refsr_root, forked_runs
):
    args = [study, '--iters', 14, '--data-root', refsr_root, '--seeds', 0, 1]
    args += ['--jobs', 2, '--repeats', 0]
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    done = call(TOOL, *args, '--out', whole)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'A, seed 1: tiny' in done.stdout
    tables, runs = _table(whole)
    assert [line['seeds'] for line in tables['tiny']] == [[0, 1], [0, 1]]
    a, b = (line['psnr']['mean'] for line in tables['tiny'])
    assert a != b
    assert tables['tiny'][1]['delta']['mean'] == pytest.approx(b - a)
    assert all((whole / f'table.{kind}').is_file() for kind in ('md', 'csv'))
    assert (whole / 'plot.png').is_file()

    process = subprocess.Popen(
        command(TOOL, *args, '--out', killed),
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    seed = killed / 'runs/b/seed0'
    note = seed / 'work' / 'last_checkpoint'
    deadline = time.monotonic() + 300
    while not note.is_file():
        assert process.poll() is None, 'the study ended by itself'
        assert time.monotonic() < deadline
        time.sleep(0.01)
    # Its runs notice, and do not write on beside those of the next start.
    process.send_signal(signal.SIGKILL)
    process.wait()
    log = killed / 'runs/b/seed0/log.txt'
    time.sleep(4)
    size = log.stat().st_size
    time.sleep(2)
    assert log.stat().st_size == size
    assert not (killed / 'runs/b/seed1/result.json').exists()

    done = call(TOOL, *args, '--out', killed)
    assert done.returncode == 0, done.stdout + done.stderr
    assert _table(killed) == (tables, runs)

    # Once more: nothing is trained, but another set is tested.
    marks = {p: p.stat().st_mtime_ns for p in killed.rglob('iter_*.pth')}
    done = call(TOOL, *args, '--out', killed, '--max-samples', 1)
    assert done.returncode == 0, done.stderr
    assert {p: p.stat().st_mtime_ns for p in killed.rglob('iter_*.pth')} == (
        marks
    )
    assert '1 images; bicubic' in (killed / 'table.md').read_text()
    done = call(TOOL, *args, '--out', killed, '--batch-size', 2)
    assert done.returncode == 2
    assert 'choose another --out' in done.stderr


@pytest.mark.slow
def test_a_failed_row_is_named_and_the_others_run(
    study, tmp_path, refsr_root, forked_runs
):
    study.write_text(STUDY + DIVERGING)
    out = tmp_path / 'out'
    args = [study, '--iters', 2, '--data-root', refsr_root, '--out', out]
    done = call(TOOL, *args, '--seeds', 0, '--repeats', 1, '--shape', 16, 32)
    assert done.returncode == 1, done.stdout + done.stderr
    assert '1 of 3 runs failed' in done.stderr
    assert 'C, seed 0: exit code 1' in done.stderr
    assert 'log.txt' in done.stderr
    assert 'Traceback' not in done.stderr
    (a, b, c), runs = _table(out)[0]['tiny'], _table(out)[1]
    assert a['psnr']
    assert b['psnr']
    assert c['psnr'] is None
    assert [bool(run['error']) for run in runs] == [False, False, True]
    text = ' '.join((out / 'table.md').read_text().split())
    assert '| C | 0 of 1 | - |' in text
    assert 'LR 32x16' in text


@pytest.mark.slow
def test_wrong_arguments(study, tmp_path, refsr_root):
    out = ['--out', tmp_path / 'out', '--data-root', refsr_root]
    broken = tmp_path / 'broken.yml'
    broken.write_text('rows: 3')
    odd = tmp_path / 'odd.yml'
    odd.write_text(
        'rows:\n- {label: x, config: small.py, '
        'options: {model.generator.dilations: [9]}}'
    )
    cases = [
        (['table99'], "no study 'table99'"),
        ([tmp_path / 'none.yml'], 'none.yml does not exist'),
        ([tmp_path / 'none.py'], 'none.py does not exist'),
        ([broken], 'is not a study'),
        ([odd], "network of 'x' cannot be built"),
        ([study, '--iters', 0], 'iters must be at least 1'),
        ([study, '--test-roots', tmp_path / 'no'], 'data set'),
        ([study, '--data-root', tmp_path / 'no'], 'does not exist'),
        (['table11', '--teacher', tmp_path / 'no'], 'Set --teacher'),
        ([study, '--shape', 8, 8], 'at least 16'),
    ]
    for args, message in cases:
        done = call(TOOL, *args[:1], *out, *args[1:])
        assert done.returncode == 2, (args, done.stderr)
        assert message in done.stderr, done.stderr
        assert 'Traceback' not in done.stderr
    assert not (tmp_path / 'out').exists()
