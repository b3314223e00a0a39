import json
import multiprocessing

import numpy as np
import pytest
from PIL import Image

from mmdsr.io.flow_values import read_flow
from mmdsr.io.layout import (
    RefSRWriter,
    downscale,
    read_manifest,
    run_of,
    write_manifest,
    write_sample,
)


def image(seed=0, height=16, width=24):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def read(path):
    with Image.open(path) as file:
        return np.asarray(file)


def files(root):
    return sorted(
        str(path.relative_to(root))
        for path in root.rglob('*')
        if path.is_file()
    )


def test_everything_arrives(tmp_path):
    hr, ref = image(0), image(1, 32, 16)
    depth, depth_ref = np.full((16, 24), 1.5), np.full((32, 16), np.nan)
    out = tmp_path / 'new' / 'set'
    with RefSRWriter(out, generator={'seed': 3}) as writer:
        writer.add('train', 'run0_0001', hr, ref, depth, depth_ref)
        writer.add('test', 'run1_0001', ref, hr)
        assert not out.exists()
    assert [path.name for path in out.parent.iterdir()] == ['set']
    folder = out / 'train'
    np.testing.assert_array_equal(read(folder / 'hr/run0_0001.png'), hr)
    np.testing.assert_array_equal(read(folder / 'ref/run0_0001.png'), ref)
    np.testing.assert_array_equal(
        read(folder / 'lr/run0_0001.png'), downscale(hr)
    )
    depth_lr = read(folder / 'depth_lr/run0_0001.png')
    assert depth_lr.shape == (4, 6)
    assert (depth_lr == 1500).all()
    depth_ref = read(folder / 'depth_ref/run0_0001.png')
    assert depth_ref.shape == (8, 4)
    assert not depth_ref.any()
    # No folder for what there is not.
    assert sorted(p.name for p in (out / 'test').iterdir()) == [
        'hr',
        'lr',
        'ref',
    ]
    assert read_manifest(out) == {
        'format': 'mmdsr-refsr',
        'version': 1,
        'scale': 4,
        'generator': {'seed': 3},
        'splits': {'train': ['run0_0001'], 'test': ['run1_0001']},
    }


def test_flow_arrives(tmp_path):
    rng = np.random.default_rng(0)
    flow, visible = rng.uniform(-9, 9, (4, 6, 2)), rng.random((4, 6)) < 0.5
    with RefSRWriter(tmp_path / 'set') as writer:
        writer.add(
            'train', 'a_0', image(0), image(1), flow=flow, visible=visible
        )
        writer.add('test', 'b_0', image(0), image(1))
    stored = read_flow(tmp_path / 'set/train/flow/a_0.png')
    assert np.abs(stored[0] - flow).max() < 0.01
    np.testing.assert_array_equal(stored[1], visible)
    assert not (tmp_path / 'set/test/flow').exists()


def test_flow_must_fit(tmp_path):
    good = {'flow': np.zeros((4, 6, 2)), 'visible': np.ones((4, 6), bool)}
    for bad in (
        {**good, 'flow': np.zeros((16, 24, 2))},
        {**good, 'flow': np.zeros((4, 6))},
        {**good, 'visible': None},
    ):
        with pytest.raises(ValueError, match=r'flow is|must be'):
            write_sample(tmp_path, 'a_0', image(0), image(1), **bad)
    # hr says that a sample is complete.
    assert not (tmp_path / 'hr').exists()


@pytest.mark.parametrize('error', [RuntimeError, KeyboardInterrupt])
def test_failed_writer_leaves_no_files(tmp_path, error):
    def fail():
        with RefSRWriter(tmp_path / 'set') as writer:
            writer.add('train', 'run0_0001', image(), image())
            raise error

    with pytest.raises(error):
        fail()
    assert not list(tmp_path.iterdir())


def test_a_failure_keeps_the_old_data_set(tmp_path):
    out = tmp_path / 'set'
    with RefSRWriter(out) as writer:
        writer.add('train', 'run0_0001', image(), image())
    before = files(out)

    def fail():
        with RefSRWriter(out, overwrite=True) as writer:
            writer.add('train', 'run7_0001', image(), image())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert files(out) == before
    with RefSRWriter(out, overwrite=True) as writer:
        writer.add('train', 'run7_0001', image(), image())
    assert files(out) == [name.replace('run0', 'run7') for name in before]
    assert [path.name for path in tmp_path.iterdir()] == ['set']


def test_existing_folders_are_safe(tmp_path):
    out = tmp_path / 'set'
    out.mkdir()
    with RefSRWriter(out) as writer:  # an empty one is no harm
        writer.add('train', 'run0_0001', image(), image())
    with pytest.raises(FileExistsError, match='already exists'):
        RefSRWriter(out)
    precious = tmp_path / 'precious'
    precious.mkdir()
    (precious / 'thesis.tex').write_text('...')
    with pytest.raises(FileExistsError, match='no manifest'):
        RefSRWriter(precious, overwrite=True)
    assert files(precious) == ['thesis.tex']
    with pytest.raises(FileExistsError, match='not a plain folder'):
        RefSRWriter(precious / 'thesis.tex', overwrite=True)


def test_sources_in_the_data_set_are_not_deleted(tmp_path):
    out = tmp_path / 'set'
    with RefSRWriter(out, sources=[tmp_path / 'raw']) as writer:
        writer.add('train', 'run0_0001', image(), image())
    (out / 'raw').mkdir()
    (tmp_path / 'link').symlink_to(out / 'raw')
    before = files(out)
    for source in (out, out / 'raw', tmp_path / 'link'):
        with pytest.raises(ValueError, match='which the new data set would'):
            RefSRWriter(out, overwrite=True, sources=[source])
    assert files(out) == before
    assert (out / 'raw').is_dir()


def test_resume(tmp_path):
    out = tmp_path / 'set'
    settings = {'seed': 1, 'size': (16, 24)}

    def interrupt():
        with RefSRWriter(out, generator=settings, resumable=True) as writer:
            writer.add('train', 'run0_0001', image(), image())
            folder = writer.split_dir('train')
            (folder / 'lr' / 'run0_0002.png').write_bytes(b'half')
            (folder / 'hr' / '.run0_0002.png.1.tmp').write_bytes(b'half')
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert not out.exists()
    with pytest.raises(FileExistsError, match='other settings'):
        RefSRWriter(out, generator={'seed': 2}, resumable=True)
    with RefSRWriter(out, generator=settings, resumable=True) as writer:
        assert writer.is_written('train', 'run0_0001')
        assert not writer.is_written('train', 'run0_0001', depth=True)
        assert not writer.is_written('train', 'run0_0002')
        writer.register('train', 'run0_0001')
        writer.add('train', 'run0_0003', image(), image())
    assert [path.name for path in tmp_path.iterdir()] == ['set']
    assert files(out) == [
        'manifest.json',
        'train/hr/run0_0001.png',
        'train/hr/run0_0003.png',
        'train/lr/run0_0001.png',
        'train/lr/run0_0003.png',
        'train/ref/run0_0001.png',
        'train/ref/run0_0003.png',
    ]


def test_without_resume_leftovers_are_dropped(tmp_path):
    out = tmp_path / 'set'
    killed = RefSRWriter(out)
    killed.add('train', 'run0_0001', image(), image())
    with RefSRWriter(out) as writer:
        assert not writer.is_written('train', 'run0_0001')
        writer.add('train', 'run0_0002', image(), image())
    assert read_manifest(out)['splits']['train'] == ['run0_0002']


def _work(folder, start):
    for i in range(start, start + 4):
        write_sample(folder, f'run0_{i:04d}', image(i), image(i + 1))


def test_several_processes(tmp_path):
    out = tmp_path / 'set'
    with RefSRWriter(out) as writer:
        folder = writer.split_dir('train')
        context = multiprocessing.get_context('fork')
        # The two write the same samples in part.
        workers = [
            context.Process(target=_work, args=(folder, start))
            for start in (0, 2)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0
        for i in range(6):
            writer.register('train', f'run0_{i:04d}')
    assert len(files(out)) == 6 * 3 + 1
    for i in range(6):
        hr = read(out / f'train/hr/run0_{i:04d}.png')
        np.testing.assert_array_equal(hr, image(i))


def test_a_run_in_two_splits_is_refused(tmp_path):
    def write():
        with RefSRWriter(tmp_path / 'set') as writer:
            writer.add('train', 'run_0_0001', image(), image())
            writer.add('test', 'run_0_0002', image(), image())

    with pytest.raises(ValueError, match='two splits: run_0'):
        write()
    assert not list(tmp_path.iterdir())


def test_register_needs_the_files(tmp_path):
    writer = RefSRWriter(tmp_path / 'set')
    with pytest.raises(ValueError, match=r'not completely written'):
        writer.register('train', 'run0_0001')
    writer.add('train', 'run0_0001', image(), image())
    with pytest.raises(ValueError, match='twice'):
        writer.register('train', 'run0_0001')
    with pytest.raises(ValueError, match='split must be'):
        writer.register('val', 'run0_0001')
    writer.discard()


def test_no_sample_is_no_data_set(tmp_path):
    with (
        pytest.raises(ValueError, match='no sample'),
        RefSRWriter(tmp_path / 'set'),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_depth_must_fit(tmp_path):
    with pytest.raises(ValueError, match='depth_ref'):
        write_sample(tmp_path, 'a_1', image(), image(), None, np.ones((4, 6)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    'stem', ['nounderscore', 'a_', '_1', 'a b_1', '../x_1', 'a/b_1', '.a_1']
)
def test_bad_names(stem):
    with pytest.raises(ValueError, match='not a sample name'):
        run_of(stem)


def test_run_of():
    assert run_of('run0003_0012') == 'run0003'
    assert run_of('11_3_right_01124840') == '11_3_right'


def test_manifests_that_are_none(tmp_path):
    assert read_manifest(tmp_path) is None
    path = tmp_path / 'manifest.json'
    start = '{"format": "mmdsr-refsr", "version": 1'
    endless = (
        f'{start}, "splits": {{"train": [], "test": []}}, "scale": 1e999}}'
    )
    for text in ('{', '[]', f'{start}}}', endless):
        path.write_text(text)
        with pytest.raises(ValueError, match='not a manifest'):
            read_manifest(tmp_path)
    write_manifest(tmp_path, {'train': ['b_1', 'a_2']})
    good = read_manifest(tmp_path)
    assert good['splits'] == {'train': ['a_2', 'b_1'], 'test': []}
    path.write_text(json.dumps({**good, 'version': 9}))
    with pytest.raises(ValueError, match='version'):
        read_manifest(tmp_path)


def test_extra_files_and_work(tmp_path):
    out = tmp_path / 'set'
    with RefSRWriter(out, checksums=True) as writer:
        writer.add('train', 'run0_0001', image(), image())
        writer.add_extra('report.json', b'{}')
        writer.work_dir.mkdir()
        (writer.work_dir / 'state').write_text('half')
        (writer.tmp_dir / 'stray').write_text('of an interrupted run')
    assert (out / 'report.json').read_bytes() == b'{}'
    assert 'report.json' in (out / 'SHA256SUMS').read_text()
    assert 'state' not in ' '.join(files(out))
    assert not (out / 'stray').exists()
