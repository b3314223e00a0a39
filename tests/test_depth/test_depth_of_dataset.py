import shutil

import numpy as np
import pytest
from PIL import Image
from test_depth_of_frames import Mean

from mmdsr.depth import build_provider
from mmdsr.depth import dataset as module
from mmdsr.depth.dataset import dataset_depth
from mmdsr.io.checksums import LIST, verify
from mmdsr.io.images import downscale_depth, read_depth
from mmdsr.io.layout import DEPTH_KEYS, RefSRWriter, read_manifest


def write(root, checksums=False):
    """Two runs of three frames; the reference is the next frame."""
    rng = np.random.default_rng(0)
    with RefSRWriter(
        root, generator={'name': 'x'}, checksums=checksums
    ) as writer:
        for split in ('train', 'test'):
            images = [
                rng.integers(0, 256, (64, 72, 3), dtype=np.uint8)
                for _ in range(4)
            ]
            for i in range(3):
                writer.add(split, f'{split}_{i}', images[i], images[i + 1])
    return root


@pytest.fixture
def root(tmp_path):
    return write(tmp_path / 'set')


def state(root):
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob('*')
        if path.is_file()
    }


def test_adds_both_maps_of_every_sample(root):
    provider = Mean()
    report = dataset_depth(root, provider)
    assert (report.total, report.written, report.failed) == (12, 12, {})
    # The reference is the next frame: no image is looked at twice.
    assert provider.calls == 8
    for split in ('train', 'test'):
        for i in range(3):
            for key, source in (('depth_lr', 'hr'), ('depth_ref', 'ref')):
                image = np.asarray(
                    Image.open(root / split / source / f'{split}_{i}.png')
                )
                depth = read_depth(root / split / key / f'{split}_{i}.png')
                wanted = downscale_depth(Mean()(image).depth, 4)
                np.testing.assert_allclose(depth, wanted, atol=6e-4)
    manifest = read_manifest(root)
    assert manifest['generator'] == {
        'name': 'x',
        'depth': {'name': 'mean', 'setting': 1},
    }
    assert manifest['splits']['test'] == ['test_0', 'test_1', 'test_2']
    assert [p.name for p in root.iterdir() if p.name[0] == '.'] == []


def test_keeps_checksums_true(tmp_path):
    root = write(tmp_path / 'set', checksums=True)
    dataset_depth(root, Mean())
    assert verify(root) == []
    assert read_manifest(root)['checksums']['files'] == 6 * 5


def test_a_damaged_file_is_not_certified(tmp_path):
    root = write(tmp_path / 'set', checksums=True)
    damaged = root / 'train/hr/train_0.png'
    damaged.write_bytes(damaged.read_bytes() + b' ')
    (root / 'test/lr/mine.png').write_bytes(b'')
    problems = [
        'changed: train/hr/train_0.png',
        'not listed: test/lr/mine.png',
    ]
    dataset_depth(root, Mean())
    assert verify(root) == problems
    dataset_depth(root, Mean(setting=2), overwrite=True)
    assert verify(root) == problems
    for path in (root / 'train/hr').iterdir():
        path.write_bytes(b'junk')
    dataset_depth(root, Mean(setting=3), overwrite=True)
    # The maps of these images are gone, and their lines with them.
    assert not (root / 'train/depth_lr').exists()
    assert [text.split(':')[0] for text in verify(root)] == [
        'changed', 'changed', 'changed', 'not listed',
    ]  # fmt: skip
    (root / LIST).write_text('')
    provider = Mean()
    with pytest.raises(ValueError, match='not the file that the manifest'):
        dataset_depth(root, provider, overwrite=True)
    assert provider.calls == 0


def test_images_that_change_before_a_run_resumes(root):
    with pytest.raises(KeyboardInterrupt):
        dataset_depth(root, Mean(stop_after=5))
    made = root / '.depth.partial/train/depth_lr/train_0.png'
    image = root / 'train/hr/train_0.png'
    Image.fromarray(np.full((64, 72, 3), 9, np.uint8)).save(image)
    with pytest.raises(FileExistsError, match=r'1 maps in .* other images'):
        dataset_depth(root, Mean())
    before = made.read_bytes()
    report = dataset_depth(root, Mean(), overwrite=True)
    assert report.kept >= 4
    assert (root / 'train/depth_lr/train_0.png').read_bytes() != before


def test_data_set_is_unchanged_until_all_maps_exist(root):
    before = state(root)
    with pytest.raises(KeyboardInterrupt):
        dataset_depth(root, Mean(stop_after=5))
    after = {
        name: data
        for name, data in state(root).items()
        if not name.startswith('.')
    }
    assert after == before
    with pytest.raises(FileExistsError, match='other settings'):
        dataset_depth(root, Mean(setting=2))
    provider = Mean()
    report = dataset_depth(root, provider)
    assert report.kept >= 5
    assert provider.calls < 8
    other = write(root.parent / 'other')
    dataset_depth(other, Mean())
    assert state(root) == state(other)


@pytest.mark.parametrize('moves', range(5))
@pytest.mark.parametrize('checksums', [False, True])
def test_an_interruption_while_moving_is_mended(
    tmp_path, monkeypatch, moves, checksums
):
    root, other = (
        write(tmp_path / name, checksums) for name in ('set', 'other')
    )
    dataset_depth(other, Mean())
    wanted = state(other)

    real, count = module.Path.replace, 0

    def replace(self, target):
        nonlocal count
        if self.name in DEPTH_KEYS:
            if count == moves:
                raise KeyboardInterrupt
            count += 1
        return real(self, target)

    def fail(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.Path, 'replace', replace)
    if moves == 4:
        monkeypatch.setattr(module, 'write_manifest', fail)
    with pytest.raises(KeyboardInterrupt):
        dataset_depth(root, Mean())
    monkeypatch.undo()
    provider = Mean()
    dataset_depth(root, provider)
    assert provider.calls == 0
    assert state(root) == wanted


def test_replaces_depth_only_if_asked(root):
    dataset_depth(root, Mean())
    before = state(root)
    with pytest.raises(FileExistsError, match='already has depth'):
        dataset_depth(root, build_provider('pipe'))
    assert state(root) == before
    dataset_depth(root, build_provider('pipe'), overwrite=True)
    after = state(root)
    assert after.keys() == before.keys()
    name = 'train/depth_lr/train_0.png'
    assert after[name] != before[name]
    assert read_manifest(root)['generator']['depth']['name'] == 'pipe'


@pytest.mark.parametrize('stopped', [False, True])
def test_no_map_of_an_earlier_provider_is_left(root, monkeypatch, stopped):
    dataset_depth(root, Mean())
    for path in (root / 'train/ref').iterdir():
        path.write_bytes(b'junk')
    if stopped:
        real = module.Path.replace

        def replace(self, target):
            if 'test' in self.parts and self.name == 'depth_ref':
                raise KeyboardInterrupt
            return real(self, target)

        monkeypatch.setattr(module.Path, 'replace', replace)
        with pytest.raises(KeyboardInterrupt):
            dataset_depth(root, Mean(setting=2), overwrite=True)
        monkeypatch.undo()
    report = dataset_depth(root, Mean(setting=2), overwrite=True)
    assert len(report.failed) == 3
    assert not (root / 'train/depth_ref').exists()
    for name in ('train/depth_lr', 'test/depth_lr', 'test/depth_ref'):
        assert len(list((root / name).iterdir())) == 3


def test_maps_of_two_folders_are_not_mixed(root, tmp_path, monkeypatch):
    for name, value in (('a', 1), ('b', 2)):
        for path in root.glob('*/*/*.png'):
            place = tmp_path / name / 'maps' / path.relative_to(root)
            place.parent.mkdir(parents=True, exist_ok=True)
            np.save(place.with_suffix('.npy'), np.full((64, 72), 1.0 * value))
    first, second = (
        build_provider('file', folder=tmp_path / name / 'maps', frames=root)
        for name in 'ab'
    )
    assert first.describe() == second.describe()
    real = module.estimate

    def estimate(provider, path, *args):
        if path.stem == 'test_1':
            raise KeyboardInterrupt
        return real(provider, path, *args)

    monkeypatch.setattr(module, 'estimate', estimate)
    with pytest.raises(KeyboardInterrupt):
        dataset_depth(root, first)
    monkeypatch.undo()
    with pytest.raises(FileExistsError, match='another source of depth'):
        dataset_depth(root, second)
    dataset_depth(root, second, overwrite=True)
    for path in root.glob('*/depth_*/*.png'):
        np.testing.assert_allclose(read_depth(path), 2, atol=1e-3)


def test_an_image_that_cannot_be_read_gets_no_map(root):
    (root / 'train/hr/train_1.png').write_bytes(b'junk')
    (root / 'test/ref/test_0.png').unlink()
    report = dataset_depth(root, Mean())
    assert len(report.failed) == 2
    assert not (root / 'train/depth_lr/train_1.png').exists()
    assert (root / 'train/depth_ref/train_1.png').is_file()


def test_without_a_manifest_and_of_odd_sizes(tmp_path):
    folder = tmp_path / 'train'
    for key, name in (('hr', 'a_1.jpg'), ('ref', 'a_1.png')):
        (folder / key).mkdir(parents=True)
        image = np.full((33, 50, 3), 90, np.uint8)
        Image.fromarray(image).save(folder / key / name)
    dataset_depth(tmp_path, Mean())
    assert read_depth(folder / 'depth_lr/a_1.png').shape == (9, 13)
    assert not (tmp_path / 'manifest.json').exists()


def test_files_lie_like_the_images(root, tmp_path):
    for split in ('train', 'test'):
        for key in ('hr', 'ref'):
            folder = tmp_path / 'maps' / split / key
            folder.mkdir(parents=True)
            for i in range(3):
                value = 1 + i + 10 * (key == 'ref')
                np.save(
                    folder / f'{split}_{i}.npy', np.full((64, 72), 1.0 * value)
                )
    provider = build_provider('file', folder=tmp_path / 'maps', frames=root)
    dataset_depth(root, provider)
    for i in range(3):
        for key, value in (('depth_lr', 1 + i), ('depth_ref', 11 + i)):
            depth = read_depth(root / f'test/{key}/test_{i}.png')
            np.testing.assert_allclose(depth, value, atol=1e-3)


def test_refuses_other_folders(tmp_path, root):
    with pytest.raises(FileNotFoundError, match='not a data set'):
        dataset_depth(tmp_path / 'nothing', Mean())
    with pytest.raises(ValueError, match='scale 4, not 2'):
        dataset_depth(root, Mean(), scale=2)
    for path in root.rglob('*.png'):
        path.write_bytes(b'junk')
    with pytest.raises(ValueError, match='None of the 12 images'):
        dataset_depth(root, Mean())
    assert not (root / '.depth.partial').exists()
    shutil.rmtree(root)
