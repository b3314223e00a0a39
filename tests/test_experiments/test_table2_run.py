"""Table 2 from its rows to its figures, on a data set of four images."""

import csv
import json
import shutil

import pytest
import torch
from mmengine.config import Config
from PIL import Image
from rich.console import Console
from tool_runs import ROOT, call

from mmdsr.errors import UsageError
from mmdsr.experiments import worker
from mmdsr.experiments.ablation.study import (
    AblationRow,
    Budget,
    Study,
    read_study,
)
from mmdsr.experiments.runs import TrainingRun, finish
from mmdsr.experiments.table2 import experiment, plan, table, timing
from mmdsr.experiments.table2.evaluate import SCORES
from mmdsr.experiments.table2.experiment import Options, run_table2
from mmdsr.experiments.table2.timing import iterations_in

CONFIGS = ROOT / 'configs'
TOOL = 'analysis_tools/table2.py'
RCAN = 'channels: 8, num_groups: 1, num_blocks: 1, reduction: 4'
STUDY = f"""
title: A small Table 2
rows:
- label: RCAN
  config: {CONFIGS}/baselines/rcan_quick.py
  options: {{model.generator: {{{RCAN}}}}}
- label: RCAN+
  config: {CONFIGS}/baselines/rcan_plus_quick.py
  options: {{model.generator.network: {{{RCAN}}}}}
- label: MASA-rec
  config: {CONFIGS}/baselines/masa_rec_quick.py
  options: {{model.generator.channels: 4}}
# Before its teacher: the order of the rows is not that of the trainings.
- label: DSRNet-D
  config: {CONFIGS}/distill/dsrnet-d_quick.py
  options:
    model.generator.channels: 4
    model.teacher.channels: 4
    model.adm.channels: 16
- label: DSRNet+
  config: {CONFIGS}/dsrnet/teacher_quick.py
  options: {{model.generator.channels: 4}}
"""
LABELS = ['RCAN', 'RCAN+', 'MASA-rec', 'DSRNet-D', 'DSRNet+', 'flow-warp']
FIGURES = ['fig6.png', 'fig8.png', 'fig9.png']


@pytest.fixture
def study(tmp_path):
    path = tmp_path / 'study.yml'
    path.write_text(STUDY)
    return path


@pytest.fixture
def trained(monkeypatch):
    """Do the runs in this process; names those that were not done before."""
    names = []

    def run_here(runs, options, console, report):
        for item in runs:
            if item.results is None:
                names.append(item.title)
                worker.work(item.folder)
                finish(item, 0)
                console.print(report(item))

    monkeypatch.setattr(experiment, 'run_all', run_here)
    # Counting takes longer than such a training.
    monkeypatch.setattr(table, 'SHAPE', (32, 32))
    known = {}

    def count_once(generator, turns):
        key = repr(generator), turns
        if key not in known:
            known[key] = table.count(generator, turns)
        return known[key]

    monkeypatch.setattr(experiment, 'count', count_once)
    return names


def _files(out):
    return {p: p.stat().st_mtime_ns for p in out.rglob('iter_*.pth')}


def _lines(out, name='tiny'):
    content = json.loads((out / 'table.json').read_text())
    return {line['label']: line for line in content['tables'][name]}


@pytest.mark.slow
def test_rows_to_tables_and_figures(study, tmp_path, refsr_root, trained):
    out = tmp_path / 'out'
    tested = shutil.copytree(refsr_root, tmp_path / 'tiny')
    budget = Budget(iters=2, batch_size=1, data_root=str(refsr_root))
    options = Options(out=out, seeds=(3,), test_roots=(tested,))
    args = (read_study(study), budget, options)
    with (tmp_path / 'shown.txt').open('w') as shown:
        runs = run_table2(*args, Console(file=shown))
    # One training for RCAN and RCAN+, and the teacher before its student.
    assert trained == [
        f'{name}, seed 3' for name in ('RCAN', 'MASA-rec', 'DSRNet+')
    ] + ['DSRNet-D, seed 3']
    assert not any(item.error for item in runs)
    log = (out / 'runs/dsrnet-d/seed3/config.py').read_text()
    assert str(out / 'runs/dsrnet-and/seed3/work') in log

    lines = _lines(out)
    assert list(lines) == LABELS
    for label, line in lines.items():
        assert line['seeds'] == [3]
        assert set(line['values']) == {*SCORES, 'gain'}
        delta = line['delta']
        mean = line['values']['psnr_y']['mean']
        if label == 'MASA-rec':
            assert delta is None
        else:
            base = lines['MASA-rec']['values']['psnr_y']['mean']
            assert delta['mean'] == pytest.approx(mean - base)
    one, eight = (lines[x]['values'] for x in ('RCAN', 'RCAN+'))
    assert one['psnr_y']['mean'] != eight['psnr_y']['mean']
    content = json.loads((out / 'table.json').read_text())
    costs = content['costs']
    assert costs['RCAN+']['params'] == costs['RCAN']['params']
    assert costs['RCAN+']['macs'] == 8 * costs['RCAN']['macs']

    with (out / 'table.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['row'] for row in rows] == LABELS
    assert rows[2]['paper_psnr'] == '36.7557'
    assert rows[5]['paper_psnr'] == rows[5]['macs'] == ''
    assert float(rows[0]['psnr_rgb_mean']) == one['psnr_rgb']['mean']
    text = (out / 'table.md').read_text()
    assert '2 images; bicubic' in text
    assert '| RCAN+ | 1 of 1 |' in ' '.join(text.split())
    assert 'iterations: 2' in text
    printed = ' '.join((tmp_path / 'shown.txt').read_text().split())
    assert '| flow-warp | - |' in printed

    places = [out / 'figures/tiny' / name for name in FIGURES]
    for path in [out / 'fig7.png', *places]:
        with Image.open(path) as image:
            assert len(image.convert('RGB').getcolors(1 << 24)) > 100

    # Once more: nothing is trained, and the table stays.
    trained.clear()
    marks = _files(out)
    run_table2(*args, Console(quiet=True))
    assert trained == []
    assert _files(out) == marks
    assert _lines(out) == lines
    assert (out / 'table.md').read_text() == text
    with pytest.raises(UsageError, match='choose another --out'):
        run_table2(
            args[0],
            Budget(iters=3, batch_size=1, data_root=str(refsr_root)),
            args[2],
            Console(quiet=True),
        )
    # Other images under the same names: only the tests are done again.
    for path in (tested / 'test/ref').iterdir():
        with Image.open(path) as image:
            image.transpose(Image.Transpose.ROTATE_180).save(path)
    run_table2(*args, Console(quiet=True))
    assert _files(out) == marks
    for label in ('MASA-rec', 'flow-warp'):
        assert _lines(out)[label]['values'] != lines[label]['values']
    # A single-image network does not see the reference.
    assert _lines(out)['RCAN']['values'] == lines['RCAN']['values']


@pytest.mark.parametrize('failing', [None, 'T', 'D', 'DD'])
def test_each_student_waits_for_its_teacher(tmp_path, monkeypatch, failing):
    rows = {x: AblationRow(x, tmp_path) for x in ('DDD', 'DD', 'D', 'T')}
    teachers = dict(DDD='DD', DD='D', D='T')
    entries = [
        plan.Entry(row, row, rows.get(teachers.get(name)))
        for name, row in rows.items()
    ]
    runs = [
        TrainingRun('table2', x, s, x, tmp_path) for s in (0, 1) for x in rows
    ]
    phases = []

    def run_beside(runs, options, console, report):
        phases.append([(run.row, run.seed) for run in runs])
        for run in runs:
            if (run.row, run.seed) == (failing, 1):
                run.error = 'diverged'
            else:
                run.results = {}

    monkeypatch.setattr(experiment, 'run_all', run_beside)
    experiment._run(entries, runs, Options(), Console(quiet=True))
    order = ['T', 'D', 'DD', 'DDD']
    known = order[: order.index(failing) + 1] if failing else order
    assert phases == [
        [(x, seed) for seed in (0, 1) if seed == 0 or x in known]
        for x in order
    ]
    errors = {run.row: run.error for run in runs if run.seed and run.error}
    students = order[len(known) :]
    assert {x: errors[x] for x in students} == {
        x: f'its teacher {teachers[x]} failed' for x in students
    }
    assert not any(run.error for run in runs if not run.seed)


def _spoil(root, how):
    """Make a data set one that cannot be tested on; return why."""
    if how == 'split':
        shutil.rmtree(root / 'test')
        return 'no folder'
    if how == 'folder':
        shutil.rmtree(root / 'test/ref')
        return 'a split needs lr, hr and ref'
    if how == 'samples':
        (root / 'manifest.json').unlink()
        for path in (root / 'test/hr').iterdir():
            path.unlink()
        return 'has no samples'
    path = next((root / 'test/hr').iterdir())
    path.write_bytes(b'broken')
    return path.name


@pytest.mark.parametrize('how', ['split', 'folder', 'samples', 'image'])
@pytest.mark.parametrize('tool', [TOOL, 'analysis_tools/ablate.py'])
def test_data_to_test_on_are_checked_first(
    study, tmp_path, refsr_root, tool, how
):
    study.write_text(STUDY.split('- label: RCAN+')[0])
    spoiled = shutil.copytree(refsr_root, tmp_path / 'spoiled')
    reason = _spoil(spoiled, how)
    out = tmp_path / 'out'
    args = ['--iters', 2, '--data-root', refsr_root, '--out', out]
    done = call(tool, study, *args, '--test-roots', refsr_root, spoiled)
    assert done.returncode == 2, done.stderr
    assert f'data set {spoiled} cannot be tested on: ' in done.stderr
    assert reason in done.stderr
    assert not out.exists()


@pytest.mark.slow
def test_equal_time(study, tmp_path, refsr_root, trained, monkeypatch):
    measured = {'rcan': 0.25, 'masa-rec': 0.5, 'dsrnet-and': 0.2}
    monkeypatch.setattr(
        'mmdsr.experiments.table2.timing.step_seconds',
        lambda cfg: measured.get(cfg.experiment_name[: -len('_seed0')], 0.3),
    )
    out = tmp_path / 'out'
    budget = Budget(batch_size=1, data_root=str(refsr_root))
    options = Options(out=out, seeds=(0,), minutes=1 / 60)
    rows = read_study(study)
    run_table2(
        Study(rows.title, rows.rows[:3]), budget, options, Console(quiet=True)
    )
    assert trained == ['RCAN, seed 0', 'MASA-rec, seed 0']
    assert [
        path.read_text()[-10:]
        for row in ('rcan', 'masa-rec')
        for path in (out / 'runs' / row).rglob('last_checkpoint')
    ] == ['iter_4.pth', 'iter_2.pth']
    text = (out / 'table.md').read_text()
    assert '0.0166667 minutes of each training' in text
    assert 'RCAN 4, MASA-rec 2' in text
    # Without DSRNet+ no images can be chosen.
    assert not list(out.rglob('fig8.png'))
    with pytest.raises(UsageError, match=r'MASA-rec takes 0\.5 s'):
        run_table2(
            rows,
            budget,
            Options(out=tmp_path / 'out', seeds=(0,), minutes=0.005),
            Console(quiet=True),
        )


def test_a_step_is_measured_and_noted(tmp_path, study, refsr_root):
    budget = Budget(batch_size=1, data_root=str(refsr_root))
    entries = plan.make_plan(read_study(study), budget)
    configs = {
        e.row.label: plan.config_of(e, budget, 0, tmp_path)
        for e in entries
        if e.row.label in ('RCAN', 'DSRNet-D')
    }
    note = tmp_path / 'steps.json'
    threads = torch.get_num_threads()
    first = iterations_in(60, configs, note, 1)
    assert torch.get_num_threads() == threads
    noted = json.loads(note.read_text())
    seconds = {label: entry['seconds'] for label, entry in noted.items()}
    assert seconds.keys() == first.keys() == configs.keys()
    assert all(0 < second < 60 for second in seconds.values())
    assert first == {x: int(3600 / second) for x, second in seconds.items()}
    assert iterations_in(60, configs, note, 1) == first


def test_only_steps_of_the_same_config_are_known(tmp_path, monkeypatch):
    cfg = Config(dict(train_dataloader=dict(batch_size=1)))
    measured = []

    def measure(cfg):
        measured.append(cfg.train_dataloader.batch_size)
        return 0.5

    monkeypatch.setattr(timing, 'step_seconds', measure)
    note = tmp_path / 'steps.json'
    for _ in range(2):
        assert iterations_in(1, {'a': cfg}, note, 1) == {'a': 120}
    assert measured == [1]
    larger = Config(dict(train_dataloader=dict(batch_size=2)))
    iterations_in(1, {'a': larger}, note, 1)
    iterations_in(1, {'a': larger}, note, 2)
    assert measured == [1, 2, 2]


def test_the_step_of_a_gan_is_the_mean_of_both_kinds(monkeypatch):
    model = dict(discriminator=dict(type='D'), train_cfg=dict(pixel_init=7))
    cfg = Config(dict(default_scope='mmagic', model=model))
    monkeypatch.setattr(
        timing,
        '_median_step',
        lambda cfg: 1.0 if cfg.model.train_cfg.pixel_init else 3.0,
    )
    assert timing.step_seconds(cfg) == 0.25 * 1 + 0.75 * 3
    assert cfg.model.train_cfg.pixel_init == 7


def test_wrong_arguments_end_in_one_line(study, tmp_path, refsr_root):
    out = ['--out', tmp_path / 'out', '--data-root', refsr_root]
    broken = tmp_path / 'broken.yml'
    broken.write_text('rows: 3')
    alone = tmp_path / 'alone.yml'
    alone.write_text(
        f'rows:\n- {{label: D, config: {CONFIGS}/distill/dsrnet-d_quick.py}}'
    )
    odd = tmp_path / 'odd.yml'
    odd.write_text(
        f'rows:\n- label: x\n  config: {CONFIGS}/baselines/rcan_quick.py\n'
        '  options: {model.generator.reduction: 64}'
    )
    cases = [
        (['table99'], "no study 'table99'"),
        ([tmp_path / 'none.yml'], 'none.yml does not exist'),
        ([broken], 'is not a study'),
        ([alone], "teacher of 'D' is not a row"),
        ([odd], "network of 'x' cannot be built"),
        ([study, '--minutes', 0], '--minutes must be positive'),
        ([study, '--minutes', 'nan'], '--minutes must be positive'),
        ([study, '--minutes', 'inf'], '--minutes must be positive'),
        ([study, '--minutes', 1, '--iters', 2], '--iters or --minutes'),
        ([study, '--iters', 0], 'iters must be at least 1'),
        ([study, '--test-roots', tmp_path / 'no'], 'does not exist'),
        ([study, '--data-root', tmp_path / 'no'], 'does not exist'),
    ]
    for args, message in cases:
        done = call(TOOL, *args[:1], *out, *args[1:])
        assert done.returncode == 2, (args, done.stderr)
        assert message in done.stderr.splitlines()[-1], done.stderr
        assert 'Traceback' not in done.stderr
    assert not (tmp_path / 'out').exists()


@pytest.mark.slow
def test_the_command(study, tmp_path, refsr_root, forked_runs):
    # Up to MASA-rec: two trainings, side by side.
    study.write_text(STUDY.split('# Before')[0])
    out = tmp_path / 'out'
    args = [study, '--iters', 2, '--batch-size', 1, '--seeds', 0, '--out', out]
    args += ['--data-root', refsr_root]
    done = call(TOOL, *args, '--jobs', 2)
    assert done.returncode == 0, done.stderr
    assert f'Table and figures are in {out}' in done.stdout
    assert list(_lines(out)) == [*LABELS[:3], 'flow-warp']
    marks = _files(out)
    # Fewer images: only what is missing is done.
    done = call(TOOL, *args, '--jobs', 2, '--max-samples', 1)
    assert done.returncode == 0, done.stderr
    assert _files(out) == marks
    assert '1 images; bicubic' in (out / 'table.md').read_text()
