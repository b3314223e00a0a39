import subprocess
import sys

import numpy as np
import pytest
from mmengine.registry import DefaultScope
from pipe_cases import documented_datasets, make_pipe, read, save

mmseg = pytest.importorskip('mmseg')

from mmseg.registry import DATASETS, TRANSFORMS  # noqa: E402
from mmseg.visualization import SegLocalVisualizer  # noqa: E402

SIMPLE, FIVE = documented_datasets('mmseg')
IDS = {name: i for i, name in enumerate(FIVE['source_classes'])}


@pytest.fixture
def root(tmp_path):
    return make_pipe(tmp_path / 'pipe')


def build(config, root, **more):
    with DefaultScope.overwrite_default_scope('mmseg'):
        return DATASETS.build({**config, 'data_root': str(root), **more})


def labels(sample):
    return sample['data_samples'].gt_sem_seg.data[0].numpy()


def test_in_mmseg(root, tmp_path):
    dataset = build(SIMPLE, root)
    assert len(dataset) == 3
    for i in range(3):
        mask = read(root / 'masks' / 'train' / f'pipe{i}_0001.png')
        np.testing.assert_array_equal(labels(dataset[i]), mask)
    sample = dataset[1]['data_samples']
    visualizer = SegLocalVisualizer(
        vis_backends=[dict(type='LocalVisBackend')],
        save_dir=tmp_path / 'vis',
        alpha=1,
    )
    visualizer.dataset_meta = dataset.metainfo
    image = read(sample.img_path)
    out = tmp_path / 'drawn.png'
    visualizer.add_datasample(
        'gt', image, sample, draw_pred=False, out_file=str(out),
        with_labels=False,
    )  # fmt: skip
    drawn = read(out)
    # Each class in its own color.
    mask = labels(dataset[1])
    for i, color in enumerate(dataset.metainfo['palette']):
        if i in mask:
            inside = drawn[mask == i].astype(int)
            assert np.abs(inside - color).max() <= 1, i
    assert set(np.unique(mask)) == {0, 2, 3}


def five_class_mask(root, path):
    """The same defects under the five ids, a crack, and three channels."""
    mask = read(path)
    table = np.zeros(256, np.uint8)
    table[255] = 255
    names = ('background', 'joint offset', 'intruding lateral', 'infiltration')
    for i, name in enumerate(names):
        table[i] = IDS[name]
    mask = table[mask]
    mask[0, :5] = IDS['crack']
    mask[1, :5] = 255
    three = np.stack([mask, 0 * mask + 77, 0 * mask], axis=2)
    save(path, three)
    return mask


@pytest.mark.parametrize(
    ('other', 'label'), [('background', 0), ('ignore', 255)]
)
def test_masks_of_the_authors(root, other, label):
    path = root / 'masks' / 'train' / 'pipe1_0001.png'
    expected = read(path).copy()
    expected[0, :5] = label
    expected[1, :5] = 255
    five_class_mask(root, path)
    dataset = build(FIVE, root, other=other)
    np.testing.assert_array_equal(labels(dataset[1]), expected)


def test_other_channels(root):
    path = root / 'masks' / 'train' / 'pipe1_0001.png'
    five_class_mask(root, path)
    three = read(path)
    for channel in range(3):
        save(path, np.roll(three, channel, axis=2))
        with DefaultScope.overwrite_default_scope('mmseg'):
            load = TRANSFORMS.build(
                dict(type='mmdsr.LoadPipeMask', num_ids=5, channel=channel)
            )
        results = load({'seg_map_path': str(path), 'seg_fields': []})
        np.testing.assert_array_equal(results['gt_seg_map'], three[..., 0])


def test_one_channel_takes_the_stock_transform(root):
    path = root / 'masks' / 'train' / 'pipe1_0001.png'
    expected = read(path).copy()
    expected[0, :5] = 0
    expected[1, :5] = 255
    save(path, five_class_mask(root, path))
    stock = [dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
    pipeline = [FIVE['pipeline'][0], *stock]
    dataset = build(FIVE, root, pipeline=pipeline)
    np.testing.assert_array_equal(labels(dataset[1]), expected)


def test_a_subset_of_the_classes(root):
    """As elsewhere in mmseg, what is no class any more is not counted."""
    metainfo = dict(classes=('background', 'infiltration'))
    dataset = build(SIMPLE, root, metainfo=metainfo)
    mask = read(root / 'masks' / 'train' / 'pipe0_0001.png')
    expected = np.choose(mask, [0, 255, 255, 1])
    np.testing.assert_array_equal(labels(dataset[0]), expected)
    assert dataset.metainfo['palette'] == [[0, 0, 0], [86, 180, 233]]


def test_values_that_are_no_ids(root):
    path = root / 'masks' / 'train' / 'pipe0_0001.png'
    with DefaultScope.overwrite_default_scope('mmseg'):
        load = TRANSFORMS.build(dict(type='mmdsr.LoadPipeMask'))
    results = {'seg_map_path': str(path), 'seg_fields': []}
    load(dict(results))
    for value in (4, 200):
        mask = read(path).copy()
        mask[5, 5] = value
        save(path, mask)
        with pytest.raises(ValueError, match=rf'\[{value}\].* num_ids=4'):
            load(dict(results))
    for wrong in (dict(num_ids=0), dict(channel=3)):
        with pytest.raises(ValueError, match='num_ids must be'):
            TRANSFORMS.build(dict(type='mmdsr.LoadPipeMask', **wrong))
    for content in (b'', b'text', path.read_bytes()[:60]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r'pipe0_0001.png cannot be read'):
            load(dict(results))


def test_the_background_is_a_class(root):
    with pytest.raises(ValueError, match='reduce_zero_label would ignore'):
        build(SIMPLE, root, reduce_zero_label=True)
    assert len(build(SIMPLE, root, reduce_zero_label=False)) == 3
    with DefaultScope.overwrite_default_scope('mmseg'):
        load = TRANSFORMS.build(dict(type='mmdsr.LoadPipeMask'))
    path = str(root / 'masks/train/pipe0_0001.png')
    with pytest.raises(ValueError, match='reduce_zero_label would ignore'):
        load(dict(seg_map_path=path, seg_fields=[], reduce_zero_label=True))


def test_errors(root, tmp_path):
    lists = dict(lazy_init=False)
    with pytest.raises(ValueError, match='other must be'):
        build(SIMPLE, root, other='crack', **lists)
    with pytest.raises(ValueError, match='source_classes'):
        build(SIMPLE, root, source_classes=('background', 'crack'))
    with pytest.raises(
        FileNotFoundError, match=r'no folder .*: set data_root'
    ):
        build(SIMPLE, tmp_path / 'nowhere')
    with pytest.raises(
        FileNotFoundError, match=r'no images \*.jpg: set img_s'
    ):
        build(SIMPLE, root, img_suffix='.jpg')
    (root / 'images' / 'train' / 'loop').symlink_to(root / 'images' / 'train')
    with pytest.raises(ValueError, match='links that lead back'):
        build(SIMPLE, root)
    (root / 'images' / 'train' / 'loop').unlink()
    (root / 'masks' / 'train' / 'pipe1_0001.png').unlink()
    with pytest.raises(
        FileNotFoundError, match=r'lacks masks for 1 .*pipe1_0001'
    ):
        build(SIMPLE, root)
    assert not build(SIMPLE, root, lazy_init=True)._fully_initialized


@pytest.mark.slow
def test_no_import_by_hand_and_no_other_host(root):
    code = (
        'import sys\n'
        'from mmseg.registry import DATASETS\n'
        'from mmengine.registry import init_default_scope\n'
        "init_default_scope('mmseg')\n"
        f'DATASETS.build({dict(SIMPLE, data_root=str(root))!r})\n'
        "bad = {'mmagic', 'mmpretrain', 'mmdet'} & set(sys.modules)\n"
        'sys.exit(str(bad) if bad else 0)'
    )
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
