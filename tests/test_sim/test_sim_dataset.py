from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmdsr.converters.layout import (
    downscale,
    downscale_depth,
    encode_depth,
    read_manifest,
)
from mmdsr.sim import PipeRun, generate_dataset
from mmdsr.sim.dataset import is_complete, settings_of

SIZE = (64, 64)
FOLDERS = ('lr', 'hr', 'ref', 'depth_lr', 'depth_ref')


def contents(root):
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in Path(root).rglob('*')
        if path.is_file()
    }


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp('sim') / 'data'
    calls = []
    assert generate_dataset(
        out,
        runs=3,
        frames=2,
        size=SIZE,
        seed=5,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls[-1] == (6, 6)
    assert [c[0] for c in calls] == sorted(c[0] for c in calls)
    return out


def test_layout_and_splits(made):
    manifest = read_manifest(made)
    assert manifest['splits'] == {
        'train': [f'run000{r}_000{k}' for r in (0, 1) for k in (0, 1)],
        'test': ['run0002_0000', 'run0002_0001'],
    }
    assert manifest['generator']['seed'] == 5
    for split, stems in manifest['splits'].items():
        for folder in FOLDERS:
            names = {p.name for p in (made / split / folder).iterdir()}
            assert names == {f'{stem}.png' for stem in stems}


def test_samples_are_frames_with_their_successor(made):
    run = PipeRun(5, 1, SIZE)
    frame, after = run.frame(1), run.frame(2)

    def read(folder):
        path = made / 'train' / folder / 'run0001_0001.png'
        return np.array(Image.open(path))

    np.testing.assert_array_equal(read('hr'), frame.image)
    np.testing.assert_array_equal(read('ref'), after.image)
    np.testing.assert_array_equal(read('lr'), downscale(frame.image))
    for folder, depth in (
        ('depth_lr', frame.depth),
        ('depth_ref', after.depth),
    ):
        expected = encode_depth(downscale_depth(depth))
        np.testing.assert_array_equal(read(folder), expected)
        assert read(folder).dtype == np.uint16
        assert read(folder).min() > 0


def test_workers_change_nothing(made, tmp_path):
    out = tmp_path / 'parallel'
    assert generate_dataset(out, 3, 2, SIZE, seed=5, workers=2)
    assert contents(out) == contents(made)


def test_complete_data_is_left_alone(made):
    before = {p: p.stat().st_mtime_ns for p in made.rglob('*')}
    assert not generate_dataset(made, 3, 2, SIZE, seed=5)
    assert not generate_dataset(made, 3, 2, SIZE, seed=5, overwrite=True)
    assert {p: p.stat().st_mtime_ns for p in made.rglob('*')} == before
    with pytest.raises(FileExistsError, match='overwrit'):
        generate_dataset(made, 2, 2, SIZE, seed=5)
    assert {p: p.stat().st_mtime_ns for p in made.rglob('*')} == before


def test_interrupted_work_goes_on(made, tmp_path):
    out = tmp_path / 'broken'

    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate_dataset(out, 3, 2, SIZE, seed=5, progress=stop)
    assert not out.exists()
    calls = []
    generate_dataset(
        out,
        3,
        2,
        SIZE,
        seed=5,
        progress=lambda done, total: calls.append(done),
    )
    # Run 0 was whole and run 1 half done.
    assert 3 in calls[:3]
    assert calls[-1] == 6
    assert contents(out) == contents(made)
    assert [p.name for p in tmp_path.iterdir()] == ['broken']


def test_overwrite_replaces_whole_data_only_when_done(tmp_path):
    out = tmp_path / 'data'
    generate_dataset(out, 1, 2, SIZE, seed=1, test_runs=0)
    old = contents(out)

    def stop(done, total):
        if done:
            raise RuntimeError('stop')

    with pytest.raises(RuntimeError):
        generate_dataset(
            out, 1, 2, SIZE, seed=2, overwrite=True, progress=stop
        )
    assert contents(out) == old
    assert generate_dataset(out, 1, 2, SIZE, seed=2, overwrite=True)
    assert read_manifest(out)['generator']['seed'] == 2
    assert contents(out).keys() == old.keys()
    assert contents(out) != old


def test_missing_files_are_noticed(tmp_path):
    out = tmp_path / 'data'
    generate_dataset(out, 1, 1, SIZE, seed=1)
    settings = settings_of(1, 1, SIZE, seed=1)
    assert is_complete(out, settings)
    (out / 'train' / 'depth_ref' / 'run0000_0000.png').unlink()
    assert not is_complete(out, settings)


@pytest.mark.parametrize(
    ('change', 'word'),
    [
        ({'runs': 0}, 'at least 1'),
        ({'frames': 0}, 'at least 1'),
        ({'size': (66, 64)}, 'multiples of 4'),
        ({'size': (32, 64)}, 'at least 64'),
        ({'seed': -1}, 'negative'),
        ({'test_runs': 2}, 'leave a run'),
        ({'test_runs': -1}, 'leave a run'),
        ({'workers': 0}, 'workers'),
    ],
)
def test_bad_settings_leave_nothing(tmp_path, change, word):
    settings = {'runs': 2, 'frames': 1, 'size': SIZE, **change}
    with pytest.raises(ValueError, match=word):
        generate_dataset(tmp_path / 'data', **settings)
    assert not list(tmp_path.iterdir())


def test_default_test_split():
    assert settings_of(1, 1)['test_runs'] == 0
    assert settings_of(2, 1)['test_runs'] == 1
    assert settings_of(24, 1)['test_runs'] == 3
