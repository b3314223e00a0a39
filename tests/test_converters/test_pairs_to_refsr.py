from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tool_runs
from PIL import Image

from mmdsr.converters.pairs import find_cufed, find_deep_sewer
from mmdsr.converters.pairs_to_refsr import pairs_to_refsr
from mmdsr.datasets.refsr_dataset import RefSRDataset
from mmdsr.io.depth_values import to_metres
from mmdsr.io.layout import decode_depth, downscale, read_manifest
from mmdsr.transforms import inverse_depth

TOOL = 'dataset_converters/pairs_to_refsr.py'
call = partial(tool_runs.call, TOOL)


def picture(seed, height=64, width=72):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == '.npy':
        np.save(path, values)
    else:
        Image.fromarray(values).save(path)
    return path


def read(path):
    with Image.open(path) as file:
        return np.asarray(file)


@pytest.fixture
def deep_sewer(tmp_path):
    """Two train pairs and a test pair, with depth but for one map."""
    root = tmp_path / 'Deep Sewer'
    for i, (split, stem) in enumerate(
        [('train', 'a_8'), ('train', 'b_1'), ('test', 'a_10')]
    ):
        for j, name in enumerate(('input', 'ref')):
            folder = root / split
            save(folder / 'raw' / name / f'{stem}.png', picture(10 * i + j))
            if (stem, name) != ('b_1', 'ref'):
                depth = np.full((64, 72), 51.0 * (1 + j))
                save(folder / 'depth' / name / f'{stem}.npy', depth)
    return root


@pytest.fixture
def cufed(tmp_path):
    root = tmp_path / 'CUFED'
    for i, stem in enumerate(('000_01', '000_02')):
        for j, name in enumerate(('input', 'ref')):
            path = root / 'train' / name / f'{stem}.png'
            save(path, picture(10 * i + j, 160, 160))
    for i, name in enumerate(('003', '007')):
        for level in range(6):
            size = (83 + level, 70 + 2 * level)
            path = root / 'test' / 'CUFED5' / f'{name}_{level}.png'
            save(path, picture(100 * (i + 1) + level, *size))
    return root


def test_deep_sewer(deep_sewer, tmp_path):
    out = tmp_path / 'out'
    pairs = find_deep_sewer(deep_sewer)
    summary = pairs_to_refsr(pairs, out)
    # The release's own split, though run a is in both parts.
    splits = {'train': ['train-a_8', 'train-b_1'], 'test': ['test-a_10']}
    assert read_manifest(out)['splits'] == splits
    assert summary.without_depth == 1
    hr = read(out / 'train/hr/train-b_1.png')
    np.testing.assert_array_equal(hr, picture(10))
    ref = read(out / 'train/ref/train-b_1.png')
    np.testing.assert_array_equal(ref, picture(11))
    lr = read(out / 'train/lr/train-b_1.png')
    np.testing.assert_array_equal(lr, downscale(hr))
    assert not (out / 'train/depth_ref/train-b_1.png').exists()
    # The network gets value / 255, as it does with the authors.
    for key, value in (('depth_lr', 51), ('depth_ref', 102)):
        meters = decode_depth(read(out / f'test/{key}/test-a_10.png'))
        assert meters.shape == (16, 18)
        np.testing.assert_allclose(
            inverse_depth(meters), value / 255, atol=0.5 / 255
        )
    dataset = RefSRDataset(out, 'train', reference='wrong')
    assert Path(dataset[0]['ref_path']).stem == 'train-b_1'


def test_deep_sewer_at_the_authors_size(deep_sewer, tmp_path):
    out = tmp_path / 'out'
    done = call('deep-sewer', deep_sewer, out)
    assert done.returncode == 0, done.stderr
    assert '2 training and 1 test samples from 3 pairs' in done.stdout
    assert 'Converted 6: resized to 448x320' in done.stdout
    assert '1 samples without both depth maps' in done.stdout
    expected = Image.fromarray(picture(0)).resize((448, 320), 3)
    hr = read(out / 'train/hr/train-a_8.png')
    np.testing.assert_array_equal(hr, np.asarray(expected))
    assert read(out / 'train/depth_lr/train-a_8.png').shape == (80, 112)
    again = call('deep-sewer', deep_sewer, out, '--depth', 'none')
    assert again.returncode == 2
    assert 'already exists' in again.stderr
    args = ('--keep-size', '--depth', 'none', '--overwrite')
    assert call('deep-sewer', deep_sewer, out, *args).returncode == 0
    assert read(out / 'train/hr/train-a_8.png').shape == (64, 72, 3)
    assert not (out / 'train/depth_lr').exists()


def test_a_turned_reference(deep_sewer, tmp_path):
    save(deep_sewer / 'train/raw/ref/a_8.png', picture(1, 72, 64))
    pairs = find_deep_sewer(deep_sewer, depth=False)
    out = tmp_path / 'out'
    message = (
        r'1 files refused: .*a_8\.png is 72x64, but its reference is 64x72\.'
    )
    with pytest.raises(ValueError, match=message):
        pairs_to_refsr(pairs, out)
    assert not out.exists()
    summary = pairs_to_refsr(pairs, out, on_error='skip')
    assert read_manifest(out)['splits']['train'] == ['train-b_1']
    assert list(summary.dropped) == ['its reference has a different size']
    # Resizing makes them equal, as it does for the authors.
    pairs_to_refsr(pairs, out, size=(96, 64), overwrite=True)
    assert len(read_manifest(out)['splits']['train']) == 2


def test_pairing_in_order(deep_sewer):
    folder = deep_sewer / 'train' / 'raw' / 'ref'
    for old, new in (('a_8', 'c_9'), ('b_1', 'c_10')):  # natural order
        (folder / f'{old}.png').rename(folder / f'{new}.png')
    with pytest.raises(ValueError, match=r'4 images have no .*a_8\.png'):
        find_deep_sewer(deep_sewer)
    pairs = find_deep_sewer(deep_sewer, by='order')
    found = [(pair.hr.stem, pair.refs[0].stem) for pair in pairs[:2]]
    assert found == [('a_8', 'c_9'), ('b_1', 'c_10')]
    (folder / 'c_9.png').unlink()
    with pytest.raises(ValueError, match=r'2 images and .* 1:'):
        find_deep_sewer(deep_sewer, by='order')


@pytest.mark.parametrize(
    ('stem', 'expected'),
    [
        ('frame_0012', 'train-frame_0012'),
        ('video 3-0012', 'train-video-3_0012'),
        ('0012', 'train_0012'),
        ('Straße', 'train-Straße_0'),
        ('a_b', 'train-a_b_0'),
    ],
)
def test_sample_names(tmp_path, stem, expected):
    for name in ('input', 'ref'):
        save(tmp_path / 'train' / 'raw' / name / f'{stem}.png', picture(0))
    (pair,) = find_deep_sewer(tmp_path)
    assert pair.stem == expected
    pairs_to_refsr([pair], tmp_path / 'out')
    assert read_manifest(tmp_path / 'out')['splits']['train'] == [expected]


def test_equal_sample_names(tmp_path):
    for stem in ('a_1', 'a 1'):
        for name in ('input', 'ref'):
            save(tmp_path / 'test' / 'raw' / name / f'{stem}.png', picture(0))
    with pytest.raises(
        ValueError, match=r'a_1\.png would both become .*test-a_1'
    ):
        pairs_to_refsr(find_deep_sewer(tmp_path), tmp_path / 'out')


@pytest.mark.parametrize('levels', [(1,), (2, 5), (1, 2, 3, 4, 5)])
def test_cufed(cufed, tmp_path, levels):
    out = tmp_path / 'out'
    summary = pairs_to_refsr(find_cufed(cufed, levels), out)
    splits = read_manifest(out)['splits']
    assert splits['train'] == ['cufed-000_01_0', 'cufed-000_02_0']
    assert splits['test'] == [
        f'cufed5-{name}_{level}' for name in ('003', '007') for level in levels
    ]
    for level in levels:
        hr = read(out / f'test/hr/cufed5-007_{level}.png')
        np.testing.assert_array_equal(hr, picture(200, 83, 70)[:80, :68])
        ref = read(out / f'test/ref/cufed5-007_{level}.png')
        whole = picture(200 + level, 83 + level, 70 + 2 * level)
        height, width = (side // 4 * 4 for side in whole.shape[:2])
        np.testing.assert_array_equal(ref, whole[:height, :width])
    assert any('cropped' in line for line in summary.warnings())


def test_cufed_stacked(cufed, tmp_path):
    out = tmp_path / 'out'
    done = call('cufed', cufed, out, '--references', 'stacked')
    assert done.returncode == 0, done.stderr
    tests = read_manifest(out)['splits']['test']
    assert tests == ['cufed5-003_all', 'cufed5-007_all']
    ref = read(out / 'test/ref/cufed5-003_all.png')
    assert ref.shape == (5 * 88, 80, 3)
    for level in range(1, 6):
        whole = picture(100 + level, 83 + level, 70 + 2 * level)
        cell = ref[(level - 1) * 88 : level * 88]
        height, width = whole.shape[:2]
        np.testing.assert_array_equal(cell[:height, :width], whole)
        assert not cell[height:].any()
        assert not cell[:, width:].any()


def test_cufed_refuses(cufed, tmp_path):
    for wrong in ('0', '6', 'all', '1 stacked'):
        done = call(
            'cufed', cufed, tmp_path / 'out', '--references', *wrong.split()
        )
        assert done.returncode == 2, wrong
        assert '--references takes' in done.stderr
    (cufed / 'test/CUFED5/007_4.png').unlink()
    assert len(find_cufed(cufed, [1])) == 4
    with pytest.raises(ValueError, match=r'007_0\.png lacks .* 007_4'):
        find_cufed(cufed, 'stacked')
    with pytest.raises(FileNotFoundError, match='no images in train/input'):
        find_cufed(tmp_path)


def test_broken_images(deep_sewer, tmp_path):
    broken = deep_sewer / 'train/raw/ref/a_8.png'
    broken.write_bytes(broken.read_bytes()[:500])
    (deep_sewer / 'test/depth/input/a_10.npy').write_bytes(b'')
    out = tmp_path / 'out'
    done = call('deep-sewer', deep_sewer, out)
    assert done.returncode == 2
    assert 'Traceback' not in done.stderr
    assert '2 files refused' in done.stderr
    assert 'a_8.png: unreadable' in done.stderr
    assert 'a_10.npy cannot be read' in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ['Deep Sewer']
    done = call('deep-sewer', deep_sewer, out, '--on-error', 'skip')
    assert done.returncode == 0, done.stderr
    assert 'Dropped 2: a file of the pair is unusable' in done.stdout
    splits = {'train': ['train-b_1'], 'test': []}
    assert read_manifest(out)['splits'] == splits


def test_kinds_of_depth(tmp_path):
    values = np.array([[0, 51], [255, 5]])
    meters = [[np.inf, 1.25], [0.25, 12.75]]
    gray = save(tmp_path / 'gray.png', values.astype(np.uint8))
    npy = save(tmp_path / 'a.npy', values[None].astype(np.int32))
    wide = save(tmp_path / 'wide.png', values.astype(np.uint16))
    three = np.repeat(values[..., None], 3, 2).astype(np.uint8)
    rgb = save(tmp_path / 'rgb.png', three)
    for path in (gray, npy, wide, rgb):
        np.testing.assert_allclose(to_metres(path), meters, rtol=1e-6)
    np.testing.assert_allclose(to_metres(npy, scale=51)[1, 0], 0.05)
    far = to_metres(npy, 'distance', 0.01)
    np.testing.assert_allclose(far, [[np.nan, 0.51], [2.55, 0.05]])
    holes = save(tmp_path / 'b.npy', np.array([[np.nan, -1.0]]))
    assert np.isnan(to_metres(holes)).all()
    three[0, 0, 1] = 7
    with pytest.raises(ValueError, match='colored depth picture'):
        to_metres(save(tmp_path / 'jet.png', three))
    for wrong in (np.zeros((2, 2, 2)), np.array('a'), np.zeros(3)):
        with pytest.raises(ValueError, match='must contain'):
            to_metres(save(tmp_path / 'c.npy', wrong))
    with pytest.raises(ValueError, match='kind'):
        to_metres(npy, 'disparity')
    with pytest.raises(ValueError, match='depth scale'):
        to_metres(npy, scale=0)


def test_depth_of_another_size(deep_sewer, tmp_path):
    """The inverse depth of a plane stays one, to the middle of a pixel."""
    path = deep_sewer / 'test/depth/input/a_10.npy'
    rows = np.linspace(10, 200, 32, endpoint=False)[:, None]
    save(path, np.repeat(rows, 36, axis=1))
    pairs_to_refsr(find_deep_sewer(deep_sewer), tmp_path / 'out')
    meters = decode_depth(read(tmp_path / 'out/test/depth_lr/test-a_10.png'))
    given = 0.25 / meters[:, 4] * 255
    expected = rows[:, 0].reshape(16, 2).mean(1)
    np.testing.assert_allclose(given[1:-1], expected[1:-1], rtol=0.01)


@pytest.mark.parametrize('size', [(450, 320), (448, 32), (0, 0)])
def test_size_is_checked(deep_sewer, tmp_path, size):
    done = call('deep-sewer', deep_sewer, tmp_path / 'out', '--size', *size)
    assert done.returncode == 2
    assert 'size must be multiples of 4 and at least 64' in done.stderr
    assert not (tmp_path / 'out').exists()


def test_missing_folders(deep_sewer, tmp_path):
    done = call('deep-sewer', tmp_path / 'nowhere', tmp_path / 'out')
    assert done.returncode == 2
    assert 'no images in train/raw/input' in done.stderr
    for path in (deep_sewer / 'train/raw/ref').iterdir():
        path.unlink()
    (deep_sewer / 'train/raw/ref').rmdir()
    with pytest.raises(FileNotFoundError, match=r'no folder .*ref'):
        find_deep_sewer(deep_sewer)


def test_pairs_in_the_data_set_are_not_deleted(deep_sewer, tmp_path):
    out = tmp_path / 'out'
    pairs_to_refsr(find_deep_sewer(deep_sewer), out)
    root = deep_sewer.rename(out / 'raw')
    with pytest.raises(ValueError, match='is inside'):
        pairs_to_refsr(find_deep_sewer(root), out, overwrite=True)
    assert len(find_deep_sewer(root)) == 3
