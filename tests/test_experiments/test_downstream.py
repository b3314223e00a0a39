"""Downstream experiments: tasks, versions, runs and pictures."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image
from rich.console import Console

from mmdsr.errors import UsageError
from mmdsr.experiments.downstream import report
from mmdsr.experiments.downstream.experiment import (
    find_data,
    make_runs,
)
from mmdsr.experiments.downstream.pictures import choose, draw
from mmdsr.experiments.downstream.plot import plot
from mmdsr.experiments.downstream.table import build_table
from mmdsr.experiments.downstream.task import (
    PAPER_TASKS,
    TASKS,
    Task,
    annotation_files,
    data_sets,
    find_root,
    find_tasks,
    image_folders,
    prepare,
    retarget,
)
from mmdsr.experiments.downstream.versions import (
    BICUBIC,
    HR,
    LR,
    Version,
    export,
    make_versions,
    parse_sr,
    shrink,
    version_roots,
)
from mmdsr.experiments.runs import TrainingRun
from mmdsr.inference import SuperResolver
from mmdsr.io.images import write_png
from mmdsr.io.manifest import write_manifest
from mmdsr.sim.pipe_run import PipeRun

CONFIGS = Path(__file__).parents[2] / 'configs/downstream'
FCN = Task('fcn', CONFIGS / 'mmseg/fcn_quick.py')
QUIET = Console(quiet=True)


def test_tasks_of_the_paper(tmp_path):
    tasks = find_tasks(['xie', 'all', 'xie'], CONFIGS)
    assert [task.name for task in tasks[:2]] == ['xie', 'fcn']
    assert sorted(task.name for task in tasks) == sorted(PAPER_TASKS)
    assert all(task.config.stem.endswith('_quick') for task in tasks)
    (full,) = find_tasks(['ssd300'], CONFIGS, full=True)
    assert full.config == CONFIGS / 'mmdet/ssd300.py'
    own = tmp_path / 'fcn.py'
    own.write_text('')
    assert find_tasks([str(own)], CONFIGS)[0] == Task('fcn', own)
    for names, message in (
        (['fcm'], "no task 'fcm'; known: all, fcn"),
        ([str(tmp_path / 'no.py')], r'no\.py does not exist'),
        (['fcn', str(own)], 'share a folder'),
    ):
        with pytest.raises(UsageError, match=message):
            find_tasks(names, CONFIGS)


@pytest.mark.parametrize('name', TASKS)
def test_every_task_can_be_prepared(name):
    """Its images are found, and no path of the old data set is left."""
    for full in (False, True):
        (task,) = find_tasks([name], CONFIGS, full)
        cfg = prepare(task, seed=3)
        assert cfg.randomness.seed == 3
        assert cfg.val_dataloader is None
        folders = image_folders(cfg)
        ((root, images),) = folders.items()
        assert len(images) == 2
        assert image_folders(cfg, ['test']) == {root: images[1:]}
        if not full:
            assert images == ['images/train', 'images/test']
            assert Path(root).name.startswith('sewersim-')
        retarget(cfg, {root: '/new/place'})
        assert list(image_folders(cfg)) == ['/new/place']
        loaders = Config(
            dict(
                train=cfg.train_dataloader,
                test=cfg.test_dataloader,
                evaluator=cfg.test_evaluator,
            )
        ).pretty_text
        assert f"'{root}" not in loaders


def test_roots_are_exchanged_as_paths_only():
    cfg = Config(
        dict(
            a='data/x',
            b=['data/x/images', ('data/xy', 'data/x/')],
            c=dict(d='see data/x', e=1, f='more/data/x'),
        )
    )
    retarget(cfg, {'data/x': '/n'})
    assert cfg.a == '/n'
    assert cfg.b == ['/n/images', ('data/xy', '/n')]
    assert cfg.c == dict(d='see data/x', e=1, f='more/data/x')


def test_data_sets_inside_of_wrappers():
    one, two = dict(data_root='a'), dict(data_root='b')
    assert data_sets(dict(dataset=one)) == [one]
    wrapped = dict(type='RepeatDataset', dataset=dict(dataset=one))
    assert data_sets(dict(dataset=wrapped)) == [one]
    both = dict(type='ConcatDataset', datasets=[one, two])
    found = data_sets(dict(dataset=both))
    assert sorted(d['data_root'] for d in found) == ['a', 'b']
    assert data_sets(None) == []


def test_configs_that_cannot_be_used(tmp_path):
    def use(text):
        path = tmp_path / 'own.py'
        path.write_text(text)
        return prepare(Task('own', path), 0)

    base = f'_base_ = {str(FCN.config)!r}\n'
    with pytest.raises(UsageError, match='has no train_cfg'):
        use('model = dict(a=1)')
    with pytest.raises(UsageError, match='give the plain config'):
        use(base + 'model=dict(data_preprocessor=dict(sr=dict(scale=1)))')
    both = "data_prefix=dict(img_path='a', seg_map_path='a/')"
    cfg = use(base + f'test_dataloader = dict(dataset=dict({both}))')
    with pytest.raises(UsageError, match='images and masks are both in a'):
        image_folders(cfg)
    cfg = use(base + 'test_dataloader = dict(dataset=dict(data_root=None))')
    with pytest.raises(UsageError, match='test_dataloader needs data_root'):
        image_folders(cfg)


def test_a_missing_data_set_is_explained(tmp_path):
    with pytest.raises(UsageError, match='--name sewersim-ml --subset mini'):
        find_root(str(tmp_path / 'sewersim-ml'))
    with pytest.raises(UsageError, match='set --data-root'):
        find_root('data/of-mine', tmp_path / 'no')
    (tmp_path / 'sewersim-ml').mkdir()
    inside = find_root('data/sewersim-ml', tmp_path)
    assert inside == tmp_path / 'sewersim-ml'
    # A folder that does not have it is the data set itself.
    assert find_root('data/sewersim-pipe', tmp_path) == tmp_path


def test_models_of_the_command_line(tmp_path):
    lr, bicubic, one, two, hr = make_versions(
        ['dsrnet_student', 'Mine+=dsrnet_teacher_quick']
    )
    assert (lr, bicubic, hr) == (LR, BICUBIC, HR)
    assert one.label == 'SR(dsrnet_student)'
    assert (two.name, two.label) == ('sr-mine', 'SR(Mine+)')
    assert [v.is_sr for v in (lr, bicubic, one, two, hr)] == [
        False, False, True, True, False,
    ]  # fmt: skip
    assert one.identity != two.identity
    file = Path(one.resolver['weights'])
    assert parse_sr(str(file)).identity == one.identity
    # The digits of its checksum are not in the label.
    assert parse_sr(str(file)).label == one.label
    for text, message in (
        ('x', 'x'),
        ('x.pth', r'x\.pth does not exist'),
        ('x.py:y', r'config x\.py does not exist'),
        (f'{FCN.config}:{tmp_path}', 'no checkpoint'),
    ):
        with pytest.raises(UsageError, match=message):
            parse_sr(text)
    with pytest.raises(UsageError, match='use LABEL=MODEL'):
        make_versions(['a=dsrnet_student', 'a=dsrnet_teacher_quick'])
    with pytest.raises(UsageError, match='at least one model'):
        make_versions([])


@pytest.fixture
def root(tmp_path):
    """A data set with images in two splits and what belongs to them."""
    root = tmp_path / 'set'
    rng = np.random.default_rng(0)
    for split in ('train', 'test'):
        for name in ('a.png', 'deep/b.jpg'):
            image = rng.integers(0, 256, (30, 33, 3), dtype=np.uint8)
            path = root / 'images' / split / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
        (root / 'images' / split / 'notes.txt').write_text('x')
    write_png(root / 'masks/test/a.png', np.zeros((30, 33), np.uint8))
    (root / 'test.csv').write_text('x')
    for name in ('manifest.json', 'SHA256SUMS'):
        (root / name).write_text('{}')
    return root


def test_export(root, tmp_path):
    out = tmp_path / 'out'
    folders = ['images/test']
    others = ['images/train', 'images/test']
    versions = [LR, BICUBIC, HR]
    export(root, folders, versions, out, QUIET, others)
    places = version_roots(root, out, versions)
    assert places['hr'] == str(root)
    lr = Path(places['lr'])
    names = {
        str(path.relative_to(lr))
        for path in lr.rglob('*')
        if path.is_file() and 'masks' not in path.parts
    }
    assert names == {
        'images/test/a.png', 'images/test/deep/b.jpg',
        'images/test/notes.txt', 'images/train/notes.txt',
        'test.csv', 'version.json',
    }  # fmt: skip
    assert (lr / 'masks/test/a.png').samefile(root / 'masks/test/a.png')
    with Image.open(lr / 'images/test/deep/b.jpg') as image:
        # Under the name of the annotations, without JPEG's loss.
        assert (image.format, image.size) == ('PNG', (33, 30))
        shown = np.asarray(image)
    with Image.open(root / 'images/test/deep/b.jpg') as image:
        small = shrink(np.asarray(image))
    assert small.shape == (8, 9, 3)
    wanted = Image.fromarray(small).resize((36, 32), Image.BILINEAR)
    difference = np.asarray(wanted)[:30, :33] - shown.astype(int)
    assert np.abs(difference).max() <= 1

    # Only what is missing is made; other data are refused.
    kept, gone = lr / 'images/test/a.png', lr / 'images/test/deep/b.jpg'
    kept.write_bytes(b'kept')
    gone.unlink()
    export(root, folders, versions, out, QUIET, others)
    assert kept.read_bytes() == b'kept'
    assert np.array_equal(np.asarray(Image.open(gone)), shown)
    (root / 'manifest.json').write_text('{"other": 1}')
    with pytest.raises(UsageError, match='manifest was'):
        export(root, folders, versions, out, QUIET, others)


def test_the_frame_before_as_reference(tmp_path):
    """It is what makes the difference, and each frame has its own."""
    root = tmp_path / 'set'
    view = PipeRun(7, 0, (96, 80))
    for index in range(3):
        frame = view.frame(index).image
        write_png(root / f'images/test/run0000_{index:04d}.png', frame)
    model = 'dsrnet_x_nano'
    versions = make_versions([model, f'{model}+neighbor'])
    assert versions[3].label == 'SR(dsrnet_x_nano, neighbor)'
    export(root, ['images/test'], versions, tmp_path / 'out', QUIET)
    small, alone, beside = (
        sorted((tmp_path / 'out/set' / name).rglob('run*.png'))
        for name in ('small', versions[2].name, versions[3].name)
    )
    for index, reference in enumerate((1, 0, 1)):
        resolver = SuperResolver(weights=model)
        wanted = resolver.enhance(
            Image.open(small[index]), Image.open(small[reference])
        )
        shown = np.asarray(Image.open(beside[index]), int)
        assert np.abs(shown - np.asarray(wanted)).max() <= 1
        assert np.abs(shown - np.asarray(Image.open(alone[index]))).max() > 8


def test_export_refuses_other_files(root, tmp_path):
    with pytest.raises(UsageError, match='There is no folder'):
        export(root, ['images/val'], [LR, HR], tmp_path / 'a', QUIET)
    (root / 'images/test/a.png').write_bytes(b'broken')
    with pytest.raises(UsageError, match=r'a\.png: '):
        export(root, ['images/test'], [LR, HR], tmp_path / 'b', QUIET)


def test_shrinking_repeats_the_edge():
    image = np.zeros((5, 4, 3), np.uint8)
    image[4] = 200
    small = shrink(image)
    assert small.shape == (2, 1, 3)
    # Mixed with the row above, but not with three of black below.
    assert small[1].min() > 150


def places(versions):
    return {'data/sewersim-pipe': {v.name: f'/set/{v.name}' for v in versions}}


def test_data_are_found_before_anything_is_computed(tmp_path):
    root = tmp_path / 'sewersim-pipe'
    for split in ('train', 'test'):
        for key in ('images', 'masks'):
            place = root / key / split / 'a.png'
            write_png(place, np.zeros((8, 8, 3), np.uint8))
    found = find_data([FCN], 'hr', tmp_path)
    assert found[0] == {'fcn': {'data/sewersim-pipe': root}}
    assert found[1] == {root: ['images/test']}
    assert found[2] == {root: ['images/train', 'images/test']}
    # What is trained on has to be made, too.
    assert find_data([FCN], 'same', tmp_path)[1] == found[2]
    (root / 'masks/test').rename(root / 'masks/val')
    with pytest.raises(UsageError, match=r'masks/test \(test_dataloader\)'):
        find_data([FCN], 'hr', tmp_path)
    (root / 'images/train/a.png').unlink()
    with pytest.raises(UsageError, match='has no images'):
        find_data([FCN], 'hr', tmp_path)


@pytest.mark.parametrize('name', ['ssd300', 'resnet101'])
def test_annotations_are_found_before_anything_is_computed(tmp_path, name):
    (task,) = find_tasks([name], CONFIGS)
    cfg = prepare(task, 0)
    ((old, prefixes),) = image_folders(cfg).items()
    root = tmp_path / Path(old).name
    for prefix in prefixes:
        write_png(root / prefix / 'a.png', np.zeros((8, 8, 3), np.uint8))
    retarget(cfg, {old: str(root)})
    for split in ('train', 'test'):
        (dataset,) = data_sets(cfg[f'{split}_dataloader'])
        path = root / dataset['ann_file']
        assert annotation_files(cfg, split) == []
        with pytest.raises(UsageError, match=rf'{path.name} .* not exist'):
            find_data([task], 'hr', tmp_path)
        path.parent.mkdir(exist_ok=True)
        path.write_text('')
        assert annotation_files(cfg, split) == [path]
    find_data([task], 'hr', tmp_path)


def test_results_are_those_of_the_present_labels(tmp_path):
    (task,) = find_tasks(['resnet101'], CONFIGS)
    (old,) = image_folders(prepare(task, 0))
    data = tmp_path / 'set'
    for split in ('train', 'test'):
        image = data / 'images' / split / 'a.png'
        write_png(image, np.zeros((8, 8, 3), np.uint8))
        (data / f'{split}.csv').write_text('0')

    def make():
        at = dict(lr='/out/lr', hr=str(data))
        return make_runs(task, [LR, HR], {old: at}, [0], tmp_path / 'out')[0]

    run = make()
    result = dict(task=run.task, results={'a': {}})
    (run.folder / 'result.json').write_text(json.dumps(result))
    assert make().results is not None
    # As long as before: tested again, or not mixed.
    (data / 'test.csv').write_text('1')
    assert make().results is None
    (data / 'train.csv').write_text('1')
    with pytest.raises(
        UsageError, match='another annotation, which has changed'
    ):
        make()
    (data / 'train.csv').write_text('0')
    # Without a manifest and without checksums in it, sizes are compared.
    write_manifest(data, {})
    with pytest.raises(UsageError, match='another data, which has changed'):
        make()
    shutil.rmtree(tmp_path / 'out')
    make()
    Image.new('RGB', (99, 99)).save(data / 'images/test/a.png')
    with pytest.raises(UsageError, match='another data, which has changed'):
        make()


@pytest.mark.slow
def test_runs_of_both_protocols(tmp_path):
    versions = [LR, BICUBIC, Version('sr-x', 'SR(x)', dict(weights='x')), HR]
    args = (FCN, versions, places(versions), [0, 1])
    runs = make_runs(*args, tmp_path / 'hr')
    assert [run.seed for run in runs] == [0, 1]
    assert runs[0].iters > 0
    cfg = Config.fromfile(runs[1].folder / 'config.py')
    assert cfg.train_dataloader.dataset.data_root == '/set/hr'
    assert cfg.randomness.seed == 1
    assert list(runs[0].tests) == ['lr', 'bicubic', 'sr-x', 'hr']
    assert runs[0].tests['sr-x'] == dict(
        roots={'/set/hr': '/set/sr-x'}, images=40
    )

    runs = make_runs(*args, tmp_path / 'same', 'same')
    assert len(runs) == 8
    for run, version in zip(runs, 2 * versions, strict=True):
        cfg = Config.fromfile(run.folder / 'config.py')
        root = f'/set/{version.name}'
        assert cfg.train_dataloader.dataset.data_root == root
        assert run.tests[version.name]['roots'] == {root: root}
        assert list(run.tests) == [version.name]


def test_runs_are_kept_and_not_mixed(tmp_path):
    versions = [LR, BICUBIC, HR]
    args = (FCN, versions, places(versions), [0])
    (run,) = make_runs(*args, tmp_path)
    task = json.loads((run.folder / 'task.json').read_text())
    done = dict(lr={'IoU/JO': 1.0})
    result = dict(task=task, results=done)
    (run.folder / 'result.json').write_text(json.dumps(result))
    assert make_runs(*args, tmp_path)[0].results == done
    # A version more: the worker tests it.
    more = [*versions[:2], Version('sr-x', 'SR(x)', dict(weights='x')), HR]
    (other,) = make_runs(FCN, more, places(more), [0], tmp_path)
    assert other.results is None
    options = {'train_cfg.max_iters': 5}
    with pytest.raises(UsageError, match='another config'):
        make_runs(*args, tmp_path, options=options)


@pytest.mark.parametrize('protocol', ['hr', 'same'])
def test_results_are_those_of_the_present_images(tmp_path, protocol):
    data = tmp_path / 'set'
    data.mkdir()
    (data / 'manifest.json').write_text('1')

    def make(identity):
        sr = Version('sr-x', 'SR(x)', dict(weights='x'), identity)
        versions = [LR, sr, HR]
        at = dict(lr='/out/lr', hr=str(data)) | {'sr-x': '/out/sr-x'}
        return make_runs(
            FCN,
            versions,
            {'data/sewersim-pipe': at},
            [0],
            tmp_path / 'out',
            protocol,
        )

    for run in make('first'):
        result = dict(task=run.task, results={'a': {}})
        (run.folder / 'result.json').write_text(json.dumps(result))
    assert all(run.results for run in make('first'))
    # Other weights under the same name.
    if protocol == 'hr':
        assert not any(run.results for run in make('second'))
    else:
        with pytest.raises(UsageError, match='another data'):
            make('second')
    (data / 'manifest.json').write_text('2')
    with pytest.raises(UsageError, match='which has changed since'):
        make('first')


def test_the_summary_names_the_seeds_that_are_done(tmp_path, monkeypatch):
    monkeypatch.setattr(report, 'draw_task', lambda *args: None)
    versions = [LR, Version('sr-x', 'SR(x)', dict(weights='x')), HR]
    results = {version.name: {'IoU/JO': 5.0} for version in versions}
    origin = dict(protocol='as deployed', seeds='0 1')
    tables = {}
    for name, failed in (('whole', None), ('partly', 1)):
        runs = [
            TrainingRun('downstream', 'hr', seed, 't', tmp_path / 'run')
            for seed in (0, 1)
        ]
        for run in runs:
            run.results = None if run.seed == failed else results
        task = Task(name, FCN.config)
        tables[name] = report.report_task(
            task, runs, versions, tmp_path, origin
        )
    report.summary(tmp_path / 'summary.md', tables, origin)
    text = ' '.join((tmp_path / 'summary.md').read_text().split())
    assert '| task | metric | seeds | LR |' in text
    assert '| whole | IoU (%) | 0 1 | 5.00' in text
    assert '| partly | IoU (%) | 0 | 5.00' in text
    # A detector that finds nothing has no values.
    tables['blind'] = replace(tables['whole'], lines=[])
    report.summary(tmp_path / 'summary.md', tables, origin)
    assert '| whole' in (tmp_path / 'summary.md').read_text()
    assert 'blind' not in (tmp_path / 'summary.md').read_text()
    # Above the table, they would be claimed for every task.
    assert '- seeds:' not in text
    assert '- protocol: as deployed' in text


def test_images_that_show_the_classes_evenly():
    images = [
        dict(truth=dict(classes=classes), img_path=f'{name}.png')
        for name, classes in zip(
            'abcdef', ([0], [0], [0, 1], [], [2], [0, 1]), strict=True
        )
    ]
    # Number 2 shows two; then class 2 is new, then 0 and 1 are halves.
    assert choose(images, 2) == [2, 4]
    assert choose(images, 3) == [2, 4, 5]
    assert choose(images, 9) == list(range(6))
    mask = np.array([[0, 255], [2, 2]], np.uint8)
    image = dict(truth=dict(mask=mask), img_path='a.png')
    assert choose([image], 1) == [0]
    # Two frames of a run, of which the first shows most, and another run.
    names = [('a_1', [0, 1, 2]), ('a_2', [0, 1, 2]), ('b_1', [0, 1])]
    images = [
        dict(truth=dict(labels=labels), img_path=f'{name}.png')
        for name, labels in names
    ]
    assert choose(images, 2) == [0, 2]


@pytest.mark.parametrize('kind', ['mask', 'boxes', 'classes'])
def test_pictures_and_bars(tmp_path, kind):
    image = tmp_path / 'image.png'
    write_png(image, np.full((40, 60, 3), 90, np.uint8))
    mask = np.zeros((40, 60), np.uint8)
    mask[10:20, 5:30] = 1
    truth = dict(
        mask=dict(mask=mask),
        boxes=dict(boxes=[[5, 10, 30, 20]], labels=[1]),
        classes=dict(classes=[1]),
    )[kind]
    wrong = dict(
        mask=dict(mask=mask * 2),
        boxes=dict(boxes=[[1, 1, 9, 9]], labels=[0], scores=[0.5]),
        classes=dict(classes=[0]),
    )[kind]

    def predictions(pred):
        item = dict(img_path=str(image), pred=pred, truth=truth)
        return dict(classes=['a', 'b', 'c'], palette=[], images=[item])

    files = []
    for name, pred in (('wrong', wrong), ('right', truth)):
        files.append(tmp_path / f'{name}.png')
        columns = {c: predictions(pred) for c in ('LR', 'SR(x)', 'HR')}
        draw(files[-1], 'title', columns)
    wrong, right = (np.asarray(Image.open(f).convert('RGB')) for f in files)
    assert wrong.shape == right.shape
    # The last quarter is the truth, the same in both.
    truth_at = 3 * right.shape[1] // 4 + 6
    assert np.array_equal(wrong[:, truth_at:], right[:, truth_at:])
    assert not np.array_equal(wrong[:, :truth_at], right[:, :truth_at])

    scores = {
        seed: {c: dict(a=50.0 + seed) for c in ('LR', 'SR(x)', 'HR')}
        for seed in (0, 1)
    }
    plot(tmp_path / 'p.png', 't', build_table(scores, ['SR(x)'], 'IoU'))
    assert np.asarray(Image.open(tmp_path / 'p.png')).std() > 1
