import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_run import FakeRun, make, tiny_plan
from PIL import Image

from mmdsr.datasets.pipe_labels import PIPE_IDS
from mmdsr.datasets.sewer_ml_csv import CLASSES, HEADER
from mmdsr.io import staging
from mmdsr.io.checksums import verify
from mmdsr.io.layout import (
    downscale,
    downscale_depth,
    encode_depth,
    read_manifest,
)
from mmdsr.sim import PipeRun, generate_dataset
from mmdsr.sim.data.dataset import is_complete, write_dataset
from mmdsr.sim.data.degrade import Degradation, degrade
from mmdsr.sim.data.labels import (
    SEWER_ML_CLASSES,
)
from mmdsr.sim.data.splits import plan_custom

SIZE = (64, 64)
FOLDERS = ('lr', 'hr', 'ref', 'depth_lr', 'depth_ref')
LAYOUTS = ('refsr', 'pipe', 'multilabel')


def contents(root):
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in Path(root).rglob('*')
        if path.is_file()
    }


def read(path):
    return np.array(Image.open(path))


@pytest.fixture(scope='module', params=LAYOUTS)
def layout(request):
    return request.param


@pytest.fixture(scope='module')
def made(tmp_path_factory, layout):
    out = tmp_path_factory.mktemp('sim') / 'data'
    calls = []
    assert make(
        out,
        tiny_plan(layout),
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls[-1] == (6, 6)
    assert [c[0] for c in calls] == sorted(c[0] for c in calls)
    return out


@pytest.fixture(scope='module')
def pipe(tmp_path_factory):
    out = tmp_path_factory.mktemp('sim') / 'pipe'
    make(out, tiny_plan('pipe', frames=(0, 3, 6)))
    return out


def test_every_listed_sample_has_every_file(made, layout):
    manifest = read_manifest(made, formats=None)
    assert manifest['splits'] == {
        'train': [f'run000{r}_000{k}' for r in (0, 1) for k in (0, 1)],
        'test': ['run0002_0000', 'run0002_0001'],
    }
    assert manifest['generator'] == tiny_plan(layout).settings
    folders = {
        'refsr': [f'{{0}}/{folder}' for folder in FOLDERS],
        'pipe': ['images/{0}', 'masks/{0}', 'ref/{0}', 'depth/{0}'],
        'multilabel': ['images/{0}', 'ref/{0}', 'depth/{0}'],
    }[layout]
    tables = {
        'refsr': set(),
        'pipe': {'annotations/train.json', 'annotations/test.json'},
        'multilabel': {'train.csv', 'test.csv'},
    }[layout]
    images = {
        f'{folder.format(split)}/{stem}.png'
        for split, stems in manifest['splits'].items()
        for stem in stems
        for folder in folders
    }
    if layout == 'multilabel':
        # Run 1 has text.
        images |= {f'overlay/train/run0001_000{k}.png' for k in (0, 1)}
    roots = {'manifest.json', 'SHA256SUMS', 'poses.csv'}
    assert set(contents(made)) == images | tables | roots


def test_workers_change_nothing(tmp_path):
    """Workers make the other layouts in tests below."""
    plan = tiny_plan('multilabel')
    for name, workers in (('one', 1), ('two', 2)):
        assert make(tmp_path / name, plan, workers=workers)
    assert contents(tmp_path / 'one') == contents(tmp_path / 'two')


@pytest.mark.parametrize('stop_at', [1, 3, 6])
def test_interrupted_work_resumes(made, layout, tmp_path, stop_at):
    out = tmp_path / 'broken'

    def stop(done, total):
        if done == stop_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(out, tiny_plan(layout), progress=stop)
    assert not out.exists()
    # What a killed process leaves.
    folder = tmp_path / '.broken.partial'
    (folder / 'half.png').write_bytes(b'half')
    deep = next(folder.rglob('run0000_0000.png')).parent
    (deep / '.run0000_0001.png.1.tmp').write_bytes(b'half')
    calls = []
    make(
        out,
        tiny_plan(layout),
        progress=lambda done, total: calls.append(done),
    )
    # What was finished, told in the first three calls, was not made again.
    assert stop_at in calls[:3]
    assert len([step for step in np.diff([0, *calls]) if step]) <= 3 + (
        6 - stop_at
    )
    assert calls[-1] == 6
    assert contents(out) == contents(made)
    assert [p.name for p in tmp_path.iterdir()] == ['broken']


def test_interrupt_while_finishing_keeps_files(
    made, layout, tmp_path, monkeypatch
):
    out = tmp_path / 'broken'

    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr('mmdsr.io.staging.write_checksums', stop)
        with pytest.raises(KeyboardInterrupt):
            make(out, tiny_plan(layout))
    assert not out.exists()

    def no_frame(*args):
        raise AssertionError('rendered again')

    monkeypatch.setattr(FakeRun, 'frame', no_frame)
    make(out, tiny_plan(layout))
    assert contents(out) == contents(made)


@pytest.mark.parametrize('stop_at', range(4))
def test_an_interruption_while_replacing_loses_nothing(
    made, layout, tmp_path, monkeypatch, stop_at
):
    out = tmp_path / 'data'
    shutil.copytree(made, out)
    # Left over from an earlier interruption.
    shutil.copytree(made, tmp_path / '.data.old')
    old, new = contents(made), tiny_plan(layout, seed=6)
    calls = []

    def stop(real):
        def call(self, *args, **options):
            if Path(self).name in moved:
                calls.append(Path(self).name)
                if len(calls) > stop_at:
                    raise KeyboardInterrupt
            return real(self, *args, **options)

        return call

    moved = {'data', '.data.old', '.data.partial'}
    with monkeypatch.context() as patch:
        patch.setattr(staging.Path, 'replace', stop(Path.replace))
        patch.setattr(staging.shutil, 'rmtree', stop(shutil.rmtree))
        with pytest.raises(KeyboardInterrupt):
            make(out, new, overwrite=True)
    # The old removed, moved, the new moved, the moved removed.
    assert len(calls) == stop_at + 1
    whole = tmp_path / 'whole'
    make(whole, new)
    kept = [tmp_path / name for name in ('data', '.data.old')]
    assert [
        path for path in kept if path.exists() and contents(path) == old
    ] or contents(out) == contents(whole)

    def no_frame(*args):
        raise AssertionError('rendered again')

    monkeypatch.setattr(FakeRun, 'frame', no_frame)
    make(out, new, overwrite=True)
    assert contents(out) == contents(whole)
    assert verify(out) == []


def test_complete_data_is_left_alone(made, layout):
    before = {p: p.stat().st_mtime_ns for p in made.rglob('*')}
    assert not make(made, tiny_plan(layout))
    assert not make(made, tiny_plan(layout), overwrite=True)
    assert {p: p.stat().st_mtime_ns for p in made.rglob('*')} == before
    with pytest.raises(FileExistsError, match='overwrit'):
        make(made, tiny_plan(layout, seed=6))
    assert {p: p.stat().st_mtime_ns for p in made.rglob('*')} == before


def test_verify_notices_every_change(layout, tmp_path):
    out = tmp_path / 'data'
    make(out, tiny_plan(layout, frames=(0,)))
    assert verify(out) == []
    victims = sorted(set(contents(out)) - {'manifest.json', 'SHA256SUMS'})
    for name in victims:
        path = out / name
        good = path.read_bytes()
        middle = len(good) // 2
        flipped = bytes([good[middle] ^ 1])
        path.write_bytes(good[:middle] + flipped + good[middle + 1 :])
        assert verify(out) == [f'changed: {name}']
        path.unlink()
        assert verify(out) == [f'missing: {name}']
        assert not is_complete(out, tiny_plan(layout, frames=(0,)))
        path.write_bytes(good)
    (out / 'more.png').write_bytes(b'')
    (out / '.DS_Store').write_bytes(b'')
    assert verify(out) == ['not listed: more.png']
    (out / 'more.png').unlink()
    assert verify(out) == []
    sums = out / 'SHA256SUMS'
    sums.write_text(sums.read_text().replace('0', '1', 1))
    with pytest.raises(
        ValueError, match='not the file that the manifest lists'
    ):
        verify(out)


def test_poses(made):
    with (made / 'poses.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 6
    run = FakeRun(5, 2, SIZE, defects=())
    for row in rows:
        if row['stem'] != 'run0002_0001':
            continue
        frame = run.frame(1 + (row['image'] == 'ref'))
        assert row['split'] == 'test'
        assert float(row['fx']) == frame.intrinsics[0, 0]
        assert float(row['cy']) == frame.intrinsics[1, 2]
        assert float(row['tz']) == frame.pose[2, 3]
        turn = [[float(row[f'r{i}{j}']) for j in range(3)] for i in range(3)]
        np.testing.assert_array_equal(turn, frame.pose[:3, :3])


def test_samples_are_frames_with_their_successor(tmp_path):
    make(tmp_path / 'data', tiny_plan('refsr'))
    run = FakeRun(5, 1, SIZE, overlay=True)
    frame, after = run.frame(1), run.frame(2)
    root = tmp_path / 'data/train'
    name = 'run0001_0001.png'
    np.testing.assert_array_equal(read(root / 'hr' / name), frame.image)
    np.testing.assert_array_equal(read(root / 'ref' / name), after.image)
    np.testing.assert_array_equal(
        read(root / 'lr' / name), downscale(frame.image)
    )
    for folder, depth in (
        ('depth_lr', frame.depth),
        ('depth_ref', after.depth),
    ):
        found = read(root / folder / name)
        expected = encode_depth(downscale_depth(depth))
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.uint16


def test_a_degraded_image_replaces_the_reduced_one(tmp_path):
    plan = replace(tiny_plan('refsr'), degradation='realistic')
    for name, workers in (('one', 1), ('two', 2)):
        make(tmp_path / name, plan, workers=workers)
    assert contents(tmp_path / 'one') == contents(tmp_path / 'two')
    root = tmp_path / 'one/train'
    hr, lr = (read(root / k / 'run0000_0000.png') for k in ('hr', 'lr'))
    assert lr.shape == (16, 16, 3)
    assert (lr != downscale(hr)).any()
    rng = np.random.default_rng([5, 0, 60, 0])
    np.testing.assert_array_equal(lr, degrade(hr, rng, Degradation()))


def test_pipe_images(pipe):
    frame = FakeRun(5, 0, SIZE, defects=('FS', 'IN')).frame(3)
    after = FakeRun(5, 0, SIZE, defects=('FS', 'IN')).frame(4)
    name = 'train/run0000_0003.png'
    for folder, expected in (
        ('images', frame.image),
        ('ref', after.image),
        ('depth', encode_depth(frame.depth)),
        ('masks', np.array([0, 1, 3], np.uint8)[frame.defect]),
    ):
        found = read(pipe / folder / name)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype


@pytest.mark.parametrize('split', ['train', 'test'])
def test_coco_agrees_with_the_masks(pipe, split):
    from pycocotools.coco import COCO

    coco = COCO(str(pipe / 'annotations' / f'{split}.json'))
    names = {c['id']: c['name'] for c in coco.loadCats(coco.getCatIds())}
    assert names == {number: name for name, number in PIPE_IDS.items()}
    listed = {coco.imgs[i]['file_name'] for i in coco.imgs}
    on_disk = {path.name for path in (pipe / 'images' / split).iterdir()}
    assert listed == on_disk
    counts = []
    for image in coco.loadImgs(coco.getImgIds()):
        mask = read(pipe / 'masks' / split / image['file_name'])
        assert mask.shape == (image['height'], image['width'])
        drawn = np.zeros_like(mask)
        anns = coco.loadAnns(coco.getAnnIds(imgIds=[image['id']]))
        for ann in anns:
            part = coco.annToMask(ann) > 0
            assert ann['iscrowd'] == 0
            assert part.sum() == ann['area'] > 0
            x, y, width, height = ann['bbox']
            assert part[y : y + height, x : x + width].sum() == part.sum()
            assert part[y : y + height, x].any()
            assert part[y : y + height, x + width - 1].any()
            assert part[y, x : x + width].any()
            assert part[y + height - 1, x : x + width].any()
            assert not drawn[part].any()
            drawn[part] = ann['category_id']
        np.testing.assert_array_equal(drawn, mask)
        counts.append(len(anns))
    # Run 1 has no defects; of run 2's three the root has no class and the
    # third is a speck.
    assert counts == ([2] * 3 + [0] * 3 if split == 'train' else [1] * 3)


def test_tables_are_like_sewer_ml(tmp_path):
    out = tmp_path / 'ml'
    make(out, tiny_plan('multilabel'))
    raw = (out / 'train.csv').read_text()
    assert raw.splitlines()[0] == (
        'Filename,WaterLevel,VA,RB,OB,PF,DE,FS,IS,RO,IN,AF,BE,FO,GR,PH,PB,OS,'
        'OP,OK,ND,Defect'
    )
    assert '\r' not in raw
    plan = tiny_plan('multilabel')
    for split in ('train', 'test'):
        with (out / f'{split}.csv').open() as file:
            rows = {row['Filename']: row for row in csv.DictReader(file)}
        folder = out / 'images' / split
        assert set(rows) == {path.name for path in folder.iterdir()}
        for run in plan.runs:
            if run.split != split:
                continue
            expected = {SEWER_ML_CLASSES[kind] for kind in run.defects}
            level = 100 * FakeRun(5, run.run, SIZE, defects=()).scene.filled
            for frame in run.frames:
                row = rows[f'run{run.run:04d}_{frame:04d}.png']
                assert tuple(row) == HEADER
                found = {code for code in CLASSES if row[code] == '1'}
                assert found == expected
                assert row['ND'] == str(int(not expected))
                assert row['Defect'] == str(int(bool(expected)))
                assert abs(int(row['WaterLevel']) - level) <= 0.5


def test_burned_in_text_is_marked(tmp_path):
    make(tmp_path / 'ml', tiny_plan('multilabel'))
    mask = read(tmp_path / 'ml/overlay/train/run0001_0001.png')
    expected = FakeRun(5, 1, SIZE, overlay=True).frame(1).overlay
    np.testing.assert_array_equal(mask, 255 * expected.astype(np.uint8))


@pytest.mark.slow
def test_the_simulator_itself(tmp_path):
    """The real camera, and the same in another process."""
    plan = tiny_plan('pipe', frames=(2,))
    assert write_dataset(tmp_path / 'a', plan)
    assert write_dataset(tmp_path / 'b', plan, workers=2)
    assert contents(tmp_path / 'a') == contents(tmp_path / 'b')
    frame = PipeRun(5, 0, SIZE, defects=('FS', 'IN')).frame(2)
    np.testing.assert_array_equal(
        read(tmp_path / 'a/images/train/run0000_0002.png'), frame.image
    )
    record = json.loads(
        (tmp_path / 'a/manifest.json').read_text(encoding='utf-8')
    )
    assert record['format'] == 'mmdsr-pipe'


def test_a_set_of_another_program_is_not_complete(tmp_path):
    """Such as one of own frames, whose manifest names no generator."""
    content = dict(
        format='mmdsr-refsr',
        version=1,
        scale=4,
        splits=dict(train=['a_1'], test=[]),
    )
    (tmp_path / 'manifest.json').write_text(json.dumps(content))
    assert not is_complete(tmp_path, plan_custom(2, 1, SIZE, seed=5))


def test_custom_data_sets_are_made_of_the_simulator(tmp_path):
    out = tmp_path / 'data'
    assert generate_dataset(out, 2, 1, SIZE, seed=5)
    assert is_complete(out, plan_custom(2, 1, SIZE, seed=5))
    run = PipeRun(5, 1, SIZE)
    name = 'run0001_0000.png'
    hr, ref = (read(out / 'test' / key / name) for key in ('hr', 'ref'))
    np.testing.assert_array_equal(hr, run.frame(0).image)
    np.testing.assert_array_equal(ref, run.frame(1).image)


def test_overwrite_replaces_whole_data_only_when_done(tmp_path):
    out = tmp_path / 'data'
    make(out, tiny_plan(seed=1))
    old = contents(out)

    def stop(done, total):
        if done:
            raise RuntimeError('stop')

    with pytest.raises(RuntimeError):
        make(out, tiny_plan(seed=2), overwrite=True, progress=stop)
    assert contents(out) == old
    assert make(out, tiny_plan(seed=2), overwrite=True)
    assert read_manifest(out)['generator']['seed'] == 2
    assert contents(out).keys() == old.keys()
    assert contents(out) != old


def test_bad_arguments_leave_nothing(tmp_path):
    with pytest.raises(ValueError, match='workers'):
        make(tmp_path / 'data', tiny_plan(), workers=0)
    with pytest.raises(ValueError, match='at least 1'):
        generate_dataset(tmp_path / 'data', 0, 1)
    assert not list(tmp_path.iterdir())
