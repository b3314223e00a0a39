"""tools/downstream.py, as a user runs it."""

import csv
import json
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
import tool_runs
from PIL import Image
from tool_runs import ROOT, command, environment

from mmdsr.experiments.downstream.versions import shrink
from mmdsr.io.images import write_png

pytest.importorskip('mmseg')

TOOL = 'downstream.py'
SMALL = """
_base_ = {base!r}
model = dict(
    data_preprocessor=dict(size=(80, 80)),
    backbone=dict(base_channels=4, stem_channels=4),
    # What is random in it is not taken up after a stop.
    decode_head=dict(in_channels=32, channels=4, dropout_ratio=0.0),
)
# With more, all becomes background, and all results 0.
optim_wrapper = dict(optimizer=dict(lr=1e-4))
train_dataloader = dict(batch_size=2)
train_cfg = dict(max_iters={iters})
param_scheduler = [dict(type='ConstantLR', by_epoch=False, factor=1.0)]
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval=2))
"""
VERSIONS = ('lr', 'bicubic', 'sr-nano', 'hr')
NANO = 'nano=dsrnet_x_nano'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with a tiny data set and a config for it."""
    folder = tmp_path_factory.mktemp('data')
    root = folder / 'sewersim-pipe'
    rng = np.random.default_rng(0)
    for split, count in (('train', 4), ('test', 3)):
        for number in range(count):
            # Sides that 4 does not divide.
            image = rng.integers(0, 90, (66, 70, 3), dtype=np.uint8)
            mask = np.zeros((66, 70), np.uint8)
            label = 1 + number % 3
            mask[10:40, 12:52] = label
            image[mask > 0, label - 1] = 250
            write_png(root / 'images' / split / f'{number}.png', image)
            write_png(root / 'masks' / split / f'{number}.png', mask)
    (root / 'manifest.json').write_text('{}')
    return folder


def config(folder, iters, name='task'):
    base = str(ROOT / 'configs/downstream/mmseg/fcn_quick.py')
    path = folder / f'{name}.py'
    path.write_text(SMALL.format(base=base, iters=iters))
    return path


def arguments(task, folder, out, *args):
    return [task, '--data-root', folder, '--out', out, '--sr', NANO, *args]


def call(*args):
    return tool_runs.call(TOOL, *arguments(*args))


def scores(out, task='task'):
    return json.loads((out / task / 'table.json').read_text())['scores']


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.slow
def test_an_experiment_its_stop_and_its_continuation(
    folder, tmp_path, forked_runs
):
    task = config(folder, 4)
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    done = call(task, folder, whole, '--seeds', 0, 1, '--jobs', 2)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'task on HR, seed 1: lr ' in done.stdout

    # The versions: same names and sizes, masks shared, the rest left out.
    data = whole / 'data/sewersim-pipe'
    hr = read(folder / 'sewersim-pipe/images/test/0.png')
    small = read(data / 'small/images/test/0.png')
    assert np.array_equal(small, shrink(hr))
    assert small.shape == (17, 18, 3)
    seen = []
    for name in VERSIONS[:3]:
        version = data / name
        seen.append(read(version / 'images/test/0.png'))
        assert seen[-1].shape == hr.shape
        mask = version / 'masks/test/0.png'
        assert mask.samefile(folder / 'sewersim-pipe/masks/test/0.png')
        # Training is on HR images only, and checksums are those of HR.
        assert not (version / 'images/train').exists()
        assert not (version / 'manifest.json').exists()
    assert not np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[1], seen[2])
    bicubic = Image.fromarray(small).resize((72, 68), Image.BICUBIC)
    difference = np.asarray(bicubic)[:66, :70] - seen[1].astype(int)
    # Pillow cuts overshoots twice, after the rows and after the columns.
    assert np.abs(difference).mean() < 0.5
    assert (data / 'hr').samefile(folder / 'sewersim-pipe')

    # What is said three times is the same.
    found = scores(whole)
    assert set(found) == {'0', '1'}
    columns = ['LR', 'bicubic', 'SR(nano)', 'HR']
    assert [list(own) for own in found.values()] == [columns, columns]
    # Else the comparisons below would say little.
    assert len({json.dumps(own[c]) for own in found.values() for c in own}) > 4
    with (whole / 'task/table.csv').open() as file:
        rows = {row['class']: row for row in csv.DictReader(file)}
    assert list(rows) == ['JO', 'IL', 'IN', 'mean']
    jo = np.mean([own['SR(nano)']['JO'] for own in found.values()])
    assert float(rows['JO']['SR(nano)']) == pytest.approx(jo)
    text = (whole / 'task/table.md').read_text()
    assert f'{jo:.2f} ±' in text
    assert 'ΔHR(nano)' in text
    text = ' '.join((whole / 'summary.md').read_text().split())
    assert '| task | IoU (%) | 0 1 |' in text
    for name in ('plot.png', 'pictures.png'):
        assert read(whole / 'task' / name).std() > 1

    # Killed in training: the same command ends like one without a stop.
    process = subprocess.Popen(
        command(TOOL, *arguments(task, folder, killed, '--seeds', 0)),
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    work = killed / 'runs/task/hr/seed0/work'
    deadline = time.monotonic() + 600
    while not (work / 'last_checkpoint').is_file():
        assert process.poll() is None, 'it ended by itself'
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.wait()
    assert not (killed / 'summary.md').exists()
    image = killed / 'data/sewersim-pipe/sr-nano/images/test/1.png'
    content = image.read_bytes()
    image.unlink()
    done = call(task, folder, killed, '--seeds', 0)
    assert done.returncode == 0, done.stdout + done.stderr
    assert image.read_bytes() == content
    assert scores(killed)['0'] == found['0']

    # Another model: nothing is trained, only the new version is tested.
    marks = {p: p.stat().st_mtime_ns for p in work.glob('*.pth')}
    tests = killed / 'runs/task/hr/seed0/tests'
    old = (tests / 'lr/metrics.json').stat().st_mtime_ns
    sr = f'{NANO},dsrnet_student'
    done = call(task, folder, killed, '--seeds', 0, '--sr', sr)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {p: p.stat().st_mtime_ns for p in work.glob('*.pth')} == marks
    assert (tests / 'lr/metrics.json').stat().st_mtime_ns == old
    header = ' '.join((killed / 'task/table.md').read_text().split())
    assert 'SR(nano) | SR(dsrnet_student) | HR' in header
    assert '1 of 1 runs' not in done.stdout

    # What does not fit is refused, and nothing is lost.
    wrong = [
        (['--protocol', 'same'], "protocol was 'hr', is 'same'"),
        (['--sr', 'nano=dsrnet_student'], 'made_by was'),
    ]
    for args, message in wrong:
        done = call(task, folder, killed, '--seeds', 0, *args)
        assert done.returncode == 2, (args, done.stderr)
        assert message in done.stderr
    done = call(config(folder, 6), folder, killed, '--seeds', 0)
    assert done.returncode == 2
    assert 'another config' in done.stderr
    assert scores(killed)['0']['LR'] == found['0']['LR']


@pytest.mark.slow
def test_trained_and_tested_on_the_same_version(folder, tmp_path, forked_runs):
    task = config(folder, 1, 'own')
    out = tmp_path / 'out'
    # One thread each: threads of a busy machine wait for each other.
    same = ['--seeds', 0, '--protocol', 'same', '--jobs', 4]
    done = call(task, folder, out, *same)
    assert done.returncode == 0, done.stdout + done.stderr
    data = out / 'data/sewersim-pipe'
    for name in VERSIONS:
        cfg = (out / f'runs/own/{name}/seed0/config.py').read_text()
        root = folder / 'sewersim-pipe' if name == 'hr' else data / name
        assert cfg.count(f"'{root.resolve()}'") >= 2
        tested = out / f'runs/own/{name}/seed0/tests'
        assert [path.name for path in tested.iterdir()] == [name]
    assert len(list((data / 'lr/images/train').iterdir())) == 4
    assert set(scores(out, 'own')) == {'0'}

    # A broken image in the test data of one version: that run fails.
    shutil.rmtree(out / 'runs/own/bicubic')
    (data / 'bicubic/images/test/1.png').write_bytes(b'no image')
    done = call(task, folder, out, *same)
    assert done.returncode == 1, done.stdout + done.stderr
    assert '1 of 4 runs failed' in done.stderr
    assert 'own on bicubic, seed 0' in done.stderr
    assert 'Traceback' not in done.stderr


@pytest.mark.slow
def test_wrong_arguments(folder, tmp_path):
    task = config(folder, 1)
    empty = tmp_path / 'empty'
    empty.mkdir()
    stage = tmp_path / 'stage.py'
    base = str(ROOT / 'configs/downstream/mmseg/fcn_quick.py')
    stage.write_text(
        f'_base_ = {base!r}\n'
        "model = dict(data_preprocessor=dict(sr=dict(weights='x')))\n"
    )
    cases = [
        (['fcm'], "no task 'fcm'; known: all, fcn"),
        (['none.py'], 'none.py does not exist'),
        ([stage], 'give the plain config'),
        ([task, '--data-root', tmp_path / 'no'], 'make_sewersim.py'),
        ([task, '--data-root', tmp_path / 'no'], '--name sewersim-pipe'),
        ([task, '--data-root', empty], 'There is no folder'),
        ([task, '--sr', 'x'], '--sr x: '),
        ([task, '--sr', 'x.pth'], 'x.pth does not exist'),
        ([task, '--sr', 'x.py:y'], 'config x.py does not exist'),
        ([task, '--sr', ','], 'at least one model'),
        ([task, '--jobs', '0'], 'jobs must be at least 1'),
        ([task, '--protocol', 'both'], 'invalid choice'),
        ([task, '--cfg-options', 'train_cfg.max_iters.x=1'], 'does not fit'),
    ]
    out = tmp_path / 'out'
    for args, message in cases:
        options = ['--data-root', folder, '--out', out, *args[1:]]
        done = tool_runs.call(TOOL, args[0], *options)
        assert done.returncode == 2, (args, done.stderr)
        assert message in done.stderr, (args, done.stderr)
        assert 'Traceback' not in done.stderr
    assert not out.exists()
