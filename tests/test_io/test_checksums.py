import hashlib
import json
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from mmdsr.datasets.alignment_cache import alignment_path
from mmdsr.datasets.refsr_dataset import RefSRDataset
from mmdsr.io.checksums import (
    LIST,
    digest,
    read_checksums,
    verify,
    write_checksums,
)
from mmdsr.io.layout import RefSRWriter, read_manifest, write_manifest


def image(seed=0, height=16, width=24):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def root(tmp_path):
    out = tmp_path / 'set'
    with RefSRWriter(out, checksums=True) as writer:
        writer.add('train', 'run0_0001', image(), image(1), lr=image(2, 4, 6))
        writer.add('test', 'run1_0001', image(3), image(4))
    return out


def test_every_file_is_listed_and_the_list_is_in_the_manifest(root):
    listed = read_checksums(root)
    files = {
        path.relative_to(root).as_posix()
        for path in root.rglob('*')
        if path.is_file()
    }
    assert set(listed) == files - {'manifest.json', LIST}
    for name, value in listed.items():
        data = (root / name).read_bytes()
        assert value == hashlib.sha256(data).hexdigest()
    note = read_manifest(root)['checksums']
    assert note == {'file': LIST, 'sha256': digest(root / LIST), 'files': 6}
    assert verify(root) == []


@pytest.mark.skipif(not shutil.which('sha256sum'), reason='no sha256sum')
def test_sha256sum_reads_the_list(root):
    def check():
        command = ['sha256sum', '--quiet', '-c', LIST]
        return subprocess.run(command, cwd=root, capture_output=True)

    assert check().returncode == 0
    (root / 'test/lr/run1_0001.png').write_bytes(b'')
    assert check().returncode == 1


def test_the_data_set_reads_it(root):
    data = RefSRDataset(root, 'train')
    assert [data.get_data_info(0)['stem']] == ['run0_0001']
    lr = np.asarray(Image.open(root / 'train/lr/run0_0001.png'))
    np.testing.assert_array_equal(lr, image(2, 4, 6))


def test_progress_counts_the_files(root):
    calls = []
    verify(root, lambda *call: calls.append(call))
    assert calls == [(i, 6) for i in range(1, 7)]


def test_alignments_do_not_belong_to_it(root):
    before = (root / LIST).read_bytes()
    made = alignment_path(root, 'train', 'dis', 'run0_0001')
    made.parent.mkdir()
    made.write_bytes(b'flow')
    assert verify(root) == []
    write_checksums(root)
    assert (root / LIST).read_bytes() == before
    # Only where they belong.
    for name in ('align-dis.txt', 'train/lr/align-dis.png', 'align-x/a'):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b'')
        assert verify(root) == [f'not listed: {name}']
        (root / name).unlink()


def test_no_checksums(root, tmp_path):
    with pytest.raises(ValueError, match='not a data set'):
        verify(tmp_path)
    (root / LIST).unlink()
    with pytest.raises(ValueError, match='missing'):
        verify(root)
    manifest = json.loads((root / 'manifest.json').read_text())
    del manifest['checksums']
    (root / 'manifest.json').write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match='contains no checksums'):
        verify(root)


def test_the_given_image_must_have_the_reduced_size(tmp_path):
    for lr, word in (
        (image(2, 4, 4), 'reduced by 4'),
        (image(2, 4, 6).astype(np.float32), 'uint8'),
    ):
        with (
            pytest.raises(ValueError, match=word),
            RefSRWriter(tmp_path / 'set') as writer,
        ):
            writer.add('train', 'run0_0001', image(), image(), lr=lr)
    assert not list(tmp_path.iterdir())


def test_other_formats_are_refused_by_name(tmp_path):
    write_manifest(tmp_path, {'train': ['a_1']}, None, format='mmdsr-pipe')
    manifest = read_manifest(tmp_path, formats=None)
    assert manifest['format'] == 'mmdsr-pipe'
    assert 'scale' not in manifest
    assert read_manifest(tmp_path, ('x', 'mmdsr-pipe')) == manifest
    with pytest.raises(ValueError, match=r"'mmdsr-pipe'.*'mmdsr-refsr'"):
        read_manifest(tmp_path)
