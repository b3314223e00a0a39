import json
import pickle
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tool_runs
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image
from torch.utils.data import DataLoader

from mmdsr.datasets.packed import pack
from mmdsr.datasets.refsr_dataset import RefSRDataset
from mmdsr.datasets.seeding import SeededIndex
from mmdsr.io.layout import DEPTH_KEYS
from mmdsr.io.manifest import MANIFEST, read_manifest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def copied(refsr_root, tmp_path):
    return pack(refsr_root, tmp_path / 'packed')


def open_dataset(config, data_root, split='train'):
    """The training data of a config at another place."""
    pytest.importorskip('mmagic')
    cfg = Config.fromfile(ROOT / 'configs/dsrnet' / config)
    with DefaultScope.overwrite_default_scope('mmagic'):
        return RefSRDataset(
            data_root, split, cfg.train_dataloader.dataset.pipeline
        )


def arrays(item):
    """All images and maps of an item."""
    sample = item['data_samples']
    fields = {**item['inputs'], 'gt': sample.gt_img}
    for key in ('depth_lr', 'depth_ref'):
        fields[key] = torch.as_tensor(getattr(sample, key))
    return fields


def assert_same(one, other, keys=('img', 'ref', 'gt', *DEPTH_KEYS)):
    one, other = arrays(one), arrays(other)
    for key in keys:
        assert one[key].dtype == other[key].dtype
        assert torch.equal(one[key], other[key]), key


@pytest.mark.parametrize('config', ['teacher_quick.py', 'teacher.py'])
def test_samples_are_equal_bit_for_bit(config, refsr_root, copied):
    before = open_dataset(config, refsr_root)
    after = open_dataset(config, copied)
    assert len(before) == len(after) > 1
    for index in range(len(before)):
        draw = SeededIndex(index, 7 + index)
        assert_same(before[draw], after[draw])


@pytest.mark.parametrize(
    'start', ['fork', pytest.param('spawn', marks=pytest.mark.slow)]
)
def test_workers_read_the_same(start, refsr_root, copied):
    before = open_dataset('teacher_quick.py', refsr_root)
    after = open_dataset('teacher_quick.py', copied)
    # What the process has read already must not matter to the workers.
    assert_same(before[SeededIndex(0, 3)], after[SeededIndex(0, 3)])
    draws = [SeededIndex(index, 11) for index in range(len(before))]
    loader = DataLoader(
        after,
        batch_size=None,
        sampler=draws,
        num_workers=2,
        multiprocessing_context=start,
    )
    for draw, item in zip(draws, loader, strict=True):
        assert_same(before[draw], item)


def test_layout_and_manifest(refsr_root, copied):
    old, new = read_manifest(refsr_root), read_manifest(copied)
    assert new['splits'] == old['splits']
    assert new['scale'] == old['scale']
    assert new['generator']['source'] == old['generator']
    for split, stems in new['splits'].items():
        for key in ('lr', 'hr', 'ref'):
            names = {path.name for path in (copied / split / key).iterdir()}
            assert names == {f'{stem}.bmp' for stem in stems}
        for key in ('depth_lr', 'depth_ref'):
            for path in (copied / split / key).iterdir():
                twin = refsr_root / split / key / path.name
                assert path.read_bytes() == twin.read_bytes()
    assert [path.name for path in copied.parent.iterdir()] == ['packed']


def test_foreign_folder_without_manifest_and_depth(tmp_path):
    """Gray, transparent and rotated files come out as they are loaded."""
    root = tmp_path / 'own set'
    rng = np.random.default_rng(0)
    for key, side in (('lr', 16), ('hr', 64), ('ref', 64)):
        (root / 'train' / key).mkdir(parents=True)
        gray = rng.integers(0, 256, (side, side + side // 4), np.uint8)
        Image.fromarray(gray).save(root / f'train/{key}/räum_0.png')
        rgba = rng.integers(0, 256, (side, side, 4), np.uint8)
        Image.fromarray(rgba).save(root / f'train/{key}/run_1.png')
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned by a quarter
        jpeg = Image.fromarray(rgba[..., :3])
        jpeg.save(root / f'train/{key}/run_2.jpg', exif=exif)
    out = pack(root, tmp_path / 'packed')
    assert read_manifest(out)['scale'] == 4
    before = open_dataset('teacher_plus.py', root)
    after = open_dataset('teacher_plus.py', out)
    assert len(after) == 3
    for index in range(3):
        draw = SeededIndex(index, 5)
        assert_same(before[draw], after[draw], ('img', 'ref', 'gt'))


def test_one_split_only(refsr_root, tmp_path):
    root = tmp_path / 'part'
    shutil.copytree(refsr_root, root)
    shutil.rmtree(root / 'test')
    manifest = json.loads((root / MANIFEST).read_text())
    manifest['splits']['test'] = []
    (root / MANIFEST).write_text(json.dumps(manifest))
    out = pack(root, tmp_path / 'packed')
    assert not (out / 'test').exists()
    assert len(RefSRDataset(out, 'train')) == 4


def test_interrupted_run_resumes(refsr_root, tmp_path):
    out = tmp_path / 'packed'

    def stop(done, total):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(refsr_root, out, progress=stop)
    assert not out.exists()
    partial = tmp_path / '.packed.partial'
    first = {path: path.stat().st_mtime_ns for path in partial.rglob('*.bmp')}
    assert first
    pack(refsr_root, out)
    for path, written in first.items():
        moved = out / path.relative_to(partial)
        assert moved.stat().st_mtime_ns == written
    assert len(RefSRDataset(out, 'train')) == 4


def test_damaged_image_is_named_and_nothing_left(refsr_root, tmp_path):
    root = tmp_path / 'set'
    shutil.copytree(refsr_root, root)
    broken = sorted((root / 'train/ref').iterdir())[1]
    broken.write_bytes(broken.read_bytes()[:-200])
    with pytest.raises(ValueError, match=broken.name):
        pack(root, tmp_path / 'packed')
    assert [path.name for path in tmp_path.iterdir()] == ['set']


def test_too_small_a_disk(refsr_root, tmp_path, monkeypatch):
    usage = shutil._ntuple_diskusage(10**6, 10**6, 10**5)
    monkeypatch.setattr('shutil.disk_usage', lambda folder: usage)
    with pytest.raises(OSError, match=r'The copy needs .* GB'):
        pack(refsr_root, tmp_path / 'packed')


def test_dataset_survives_pickling(copied):
    dataset = open_dataset('teacher_quick.py', copied)
    again = pickle.loads(pickle.dumps(dataset))
    draw = SeededIndex(1, 2)
    assert_same(dataset[draw], again[draw])


TOOL = 'dataset_converters/pack_refsr.py'
call = partial(tool_runs.call, TOOL)


def test_tool(refsr_root, tmp_path):
    out = tmp_path / 'a copy'
    done = call(refsr_root, out)
    assert done.returncode == 0, done.stderr
    assert len(RefSRDataset(out, 'train')) == 4
    again = call(refsr_root, out)
    assert again.returncode == 2
    assert 'already exists' in again.stderr
    assert 'Traceback' not in again.stderr


def test_tool_refuses(refsr_root, tmp_path):
    inside = call(refsr_root, refsr_root / 'packed')
    missing = call(tmp_path / 'none', tmp_path / 'out')
    for done, message in (
        (inside, 'must be beside'),
        (missing, 'is not a data set'),
    ):
        assert done.returncode == 2
        assert message in done.stderr
        assert 'Traceback' not in done.stderr
    assert not (refsr_root / 'packed').exists()


def test_flow_and_cameras_are_copied(refsr_root, tmp_path):
    from mmdsr.io.flow_values import read_flow, write_flow

    source = tmp_path / 'source'
    shutil.copytree(refsr_root, source)
    flow = np.full((48, 64, 2), 1.5, np.float32)
    write_flow(
        source / 'train/flow/train0_0000.png', flow, np.ones((48, 64), bool)
    )
    (source / 'poses.csv').write_text('split,stem\n')
    out = pack(source, tmp_path / 'packed')
    dataset = RefSRDataset(out, 'train')
    paths = [dataset.get_data_info(i)['flow_path'] for i in range(2)]
    np.testing.assert_array_equal(read_flow(paths[0])[0], flow)
    assert paths[1] is None
    assert (out / 'poses.csv').read_text() == 'split,stem\n'


def test_a_run_in_two_splits_is_refused_at_once(tmp_path):
    for split in ('train', 'test'):
        for key, side in dict(lr=16, hr=64, ref=64).items():
            path = tmp_path / 'set' / split / key / 'img_0.png'
            path.parent.mkdir(parents=True)
            Image.new('RGB', (side, side)).save(path)
    with pytest.raises(ValueError, match='Runs in two splits: img'):
        pack(tmp_path / 'set', tmp_path / 'packed')
    assert [path.name for path in tmp_path.iterdir()] == ['set']
