"""What identifies data."""

import numpy as np
import pytest

from mmdsr.io.checksums import write_checksums
from mmdsr.io.identity import identify, identify_images
from mmdsr.io.images import write_png
from mmdsr.io.manifest import write_manifest


@pytest.fixture
def root(tmp_path):
    for key, side in dict(hr=8, lr=2, ref=8).items():
        path = tmp_path / 'test' / key / 'run_0.png'
        write_png(path, np.full((side, side, 3), 7, np.uint8))
    return tmp_path


def _noise(path, side=8):
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3))
    write_png(path, noise.astype(np.uint8))


def test_images_changed_under_their_names_are_another_data_set(root):
    before = identify(root)
    assert before == identify(root)
    assert list(before) == ['files']
    _noise(root / 'test/ref/run_0.png')
    assert identify(root) != before


def test_files_that_a_training_adds_are_not_part_of_a_data_set(root):
    before = identify(root)
    _noise(root / 'train/align-dis/run_0.png')
    _noise(root / 'strips/run_0.png')
    assert identify(root) == before
    # Depth is.
    _noise(root / 'test/depth_lr/run_0.png', 2)
    assert identify(root) != before


def test_checksums_stand_for_the_files(root):
    write_manifest(root, dict(test=['run_0']))
    without = identify(root)
    assert set(without) == {'manifest', 'files'}
    sums = write_checksums(root)
    write_manifest(root, dict(test=['run_0']), checksums=sums)
    listed = identify(root)
    assert set(listed) == {'manifest'}
    _noise(root / 'test/ref/run_0.png')
    sums = write_checksums(root)
    write_manifest(root, dict(test=['run_0']), checksums=sums)
    assert identify(root) != listed


def test_data_sets_of_the_downstream_tasks(root):
    labels = root / 'labels.txt'
    labels.write_text('0')
    write_png(root / '.cache/run_0.png', np.zeros((8, 8, 3), np.uint8))
    before = identify_images(root)
    _noise(root / '.cache/run_0.png')
    # The config names these.
    labels.write_text('1 2')
    assert identify_images(root) == before
    for change in (
        lambda: _noise(root / 'test/hr/run_0.png'),
        lambda: write_manifest(root, {}),
        lambda: (root / 'manifest.json').write_text('of another program'),
        lambda: write_png(
            root / 'test/hr/run_1.png', np.zeros((8, 8, 3), np.uint8)
        ),
    ):
        change()
        assert identify_images(root) != before
        before = identify_images(root)
    assert set(before) == {'manifest', 'files'}
    write_manifest(root, {}, checksums=write_checksums(root))
    assert set(identify_images(root)) == {'manifest'}
