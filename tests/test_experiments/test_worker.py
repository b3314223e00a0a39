"""The process of a run: what is done is kept, what is not is made."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmdsr.engine.launch import load_config
from mmdsr.errors import UsageError
from mmdsr.experiments import processes, worker
from mmdsr.experiments.runs import TrainingRun, finish, prepare_runs
from mmdsr.io.reports import write_json


@pytest.fixture
def calls(monkeypatch):
    """What the worker asks for, in order."""
    calls = []

    def train(cfg):
        calls.append('train')
        folder = Path(cfg.work_dir)
        torch.save({}, folder / 'iter_3.pth')
        note = folder / 'last_checkpoint'
        note.write_text('/moved/since/iter_3.pth')

    def evaluate(config, checkpoint, place, root):
        calls.append((checkpoint.name, place.name, root))
        if root == 'broken':
            raise ValueError('no data')
        return dict(score=len(root))

    monkeypatch.setattr(worker, 'train', train)
    monkeypatch.setitem(worker.EVALUATORS, 'ablation', evaluate)
    return calls


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'config.py').write_text('train_cfg = dict(max_iters=3)')
    (tmp_path / 'work').mkdir()
    return tmp_path


def _ask(folder, **roots):
    tests = {name: dict(root=root) for name, root in roots.items()}
    write_json(folder / 'task.json', dict(kind='ablation', tests=tests))
    worker.work(folder)
    run = TrainingRun('ablation', 'A', 0, 'A', folder, tests)
    finish(run, 0)
    return run.results


def test_only_missing_runs_are_done(folder, calls):
    assert _ask(folder, one='a', two='bb') == dict(
        one=dict(score=1), two=dict(score=2)
    )
    assert calls == [
        'train', ('iter_3.pth', 'one', 'a'), ('iter_3.pth', 'two', 'bb'),
    ]  # fmt: skip
    calls.clear()
    # Another data set of the same name, and one more.
    results = _ask(folder, one='a', two='b', three='ccc')
    assert results['two'] == dict(score=1)
    assert calls == [
        ('iter_3.pth', 'two', 'b'),
        ('iter_3.pth', 'three', 'ccc'),
    ]
    calls.clear()
    # Without its weights it is trained again, and the new ones are tested.
    for path in (folder / 'work').iterdir():
        path.unlink()
    _ask(folder, one='a')
    assert calls == ['train', ('iter_3.pth', 'one', 'a')]


def test_other_data_under_the_same_path_are_tested_again(folder, calls):
    task = dict(kind='ablation', tests=dict(one=dict(root='a')))
    for name in ('old', 'old', 'new'):
        write_json(folder / 'task.json', dict(task, tested=dict(one=name)))
        worker.work(folder)
    assert [call for call in calls if call != 'train'] == [
        ('iter_3.pth', 'one', 'a')
    ] * 2


def test_another_teacher_is_refused(folder, calls):
    teacher = folder / 'teacher.pth'
    (folder / 'config.py').write_text(
        f'model = dict(teacher_checkpoint={str(teacher)!r})\n'
        'train_cfg = dict(max_iters=3)'
    )
    teacher.write_bytes(b'first')
    for _ in range(2):
        _ask(folder, one='a')
        for path in (folder / 'work').iterdir():
            path.unlink()
    assert calls.count('train') == 2
    teacher.write_bytes(b'second')
    with pytest.raises(UsageError, match='another teacher, which has changed'):
        _ask(folder, one='a')
    cfg = load_config(folder / 'config.py')
    with pytest.raises(UsageError, match='remove that folder'):
        prepare_runs(
            ['A'],
            [0],
            lambda row, seed: (
                TrainingRun('ablation', row, seed, row, folder),
                cfg,
            ),
        )


def test_failed_test_keeps_earlier_results(folder, calls):
    with pytest.raises(ValueError, match='no data'):
        _ask(folder, one='a', two='broken')
    assert not (folder / 'result.json').exists()
    calls.clear()
    assert _ask(folder, one='a', two='b')['one'] == dict(score=1)
    assert calls == [('iter_3.pth', 'two', 'b')]
    task = json.loads((folder / 'result.json').read_text())['task']
    assert task == json.loads((folder / 'task.json').read_text())


def test_a_run_ends_if_its_experiment_has_ended(folder):
    write_json(folder / 'task.json', dict(kind='ablation', tests={}))
    ended = subprocess.Popen([sys.executable, '-c', ''])
    ended.wait()
    with pytest.raises(SystemExit) as found:
        worker.die_with_parent(ended.pid)
    assert found.value.code == 1
    worker.die_with_parent(os.getppid())


def test_a_run_knows_its_experiment(folder, monkeypatch):
    script = 'import os, sys; print(sys.argv[-1] == str(os.getppid()))'
    popen = subprocess.Popen

    def echo(command, **options):
        assert command[1:3] == ['-m', processes.WORKER]
        return popen([sys.executable, '-c', script, *command[3:]], **options)

    monkeypatch.setattr(processes.subprocess, 'Popen', echo)
    assert processes.start(folder, 1).wait() == 0
    assert (folder / 'log.txt').read_text() == 'True\n'
