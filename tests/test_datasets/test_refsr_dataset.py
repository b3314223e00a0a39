import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmdsr.datasets.refsr_dataset import RefSRDataset
from mmdsr.datasets.seeding import SeededIndex
from mmdsr.io.layout import RefSRWriter
from mmdsr.registry import DATASETS


@pytest.fixture
def root(tmp_path):
    """Two test runs of 3 and 2 samples; only run0 has depth."""
    gray = np.full((16, 24, 3), 9, np.uint8)
    with RefSRWriter(tmp_path / 'set') as writer:
        writer.add('train', 'run9_0000', gray, gray)
        for i in range(3):
            depth = np.full((16, 24), 1 + i)
            writer.add('test', f'run0_{i:04d}', gray, gray, depth, depth)
        for i in range(2):
            writer.add('test', f'run1_{i:04d}', gray, gray)
    return tmp_path / 'set'


def names(dataset, key):
    """Path of each sample, as folder/stem."""
    paths = [dataset.get_data_info(i)[key] for i in range(len(dataset))]
    return [
        path and f'{Path(path).parent.name}/{Path(path).stem}'
        for path in paths
    ]


ALL = ['run0_0000', 'run0_0001', 'run0_0002', 'run1_0000', 'run1_0001']


def test_stored_pairs(root):
    dataset = RefSRDataset(root, 'test')
    assert names(dataset, 'img_path') == [f'lr/{s}' for s in ALL]
    assert names(dataset, 'gt_path') == [f'hr/{s}' for s in ALL]
    assert names(dataset, 'ref_path') == [f'ref/{s}' for s in ALL]
    none = [None, None]
    for key in ('depth_lr', 'depth_ref'):
        expected = [f'{key}/{s}' for s in ALL[:3]] + none
        assert names(dataset, f'{key}_path') == expected
    assert [dataset[i]['sample_idx'] for i in range(5)] == list(range(5))
    assert dataset[4]['stem'] == 'run1_0001'
    assert dataset[4]['run'] == 'run1'
    assert len(RefSRDataset(root)) == 1


def test_wrong_references_are_of_another_run(root):
    dataset = RefSRDataset(root, 'test', reference='wrong')
    expected = [ALL[3], ALL[4], ALL[3], ALL[0], ALL[1]]
    assert names(dataset, 'ref_path') == [f'ref/{s}' for s in expected]
    assert names(dataset, 'gt_path') == [f'hr/{s}' for s in ALL]
    # The depth goes with the reference.
    assert names(dataset, 'depth_ref_path') == [
        None,
        None,
        None,
        'depth_ref/run0_0000',
        'depth_ref/run0_0001',
    ]
    with pytest.raises(ValueError, match='at least two runs'):
        RefSRDataset(root, 'train', reference='wrong')


def test_self_reference(root):
    dataset = RefSRDataset(root, 'test', reference='self')
    assert names(dataset, 'ref_path') == names(dataset, 'img_path')
    assert names(dataset, 'depth_ref_path') == names(dataset, 'depth_lr_path')


def test_max_samples_spread_and_keep_the_pairs(root):
    dataset = RefSRDataset(root, 'test', max_samples=2, reference='wrong')
    assert names(dataset, 'gt_path') == ['hr/run0_0000', 'hr/run0_0002']
    assert names(dataset, 'ref_path') == ['ref/run1_0000', 'ref/run1_0000']
    assert len(RefSRDataset(root, 'test', max_samples=99)) == 5


def test_without_a_manifest(root):
    (root / 'manifest.json').unlink()
    folder = root / 'test'
    (folder / 'hr' / 'run0_0001.png').rename(folder / 'hr' / 'run0_0001.jpg')
    (folder / 'ref' / 'run1_0000.png').unlink()
    (folder / 'lr' / '.DS_Store').write_bytes(b'')
    dataset = RefSRDataset(root, 'test')
    assert names(dataset, 'gt_path') == [f'hr/{s}' for s in ALL if s != ALL[3]]


def test_unmatched_stems_are_named(root, monkeypatch):
    said = []
    monkeypatch.setattr(
        'mmdsr.datasets.refsr_dataset.print_log',
        lambda text, **_: said.append(text),
    )
    (root / 'manifest.json').unlink()
    (root / 'test' / 'ref' / 'run1_0000.png').unlink()
    RefSRDataset(root, 'test')
    assert len(said) == 2  # lr and hr have what ref has not
    assert all('run1_0000' in text for text in said)


def test_a_listed_file_that_is_missing(root):
    (root / 'test' / 'ref' / 'run1_0000.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'ref lacks 1.*run1_0000'):
        RefSRDataset(root, 'test')


def test_a_seeded_index_fixes_the_augmentation(root):
    def jitter(results):
        return {**results, 'value': np.random.rand()}

    dataset = RefSRDataset(root, 'test', pipeline=[jitter])
    np.random.seed(0)
    following = np.random.rand()
    np.random.seed(0)
    values = [dataset[SeededIndex(1, seed)]['value'] for seed in (5, 6, 5)]
    assert values[0] == values[2] != values[1]
    assert np.random.rand() == following  # the generator is as it was
    sample = dataset[SeededIndex(1, 5)]
    assert type(sample['sample_idx']) is int
    assert sample['sample_idx'] == 1
    assert dataset[1]['value'] != dataset[1]['value']


def test_missing_folders(root, tmp_path):
    with pytest.raises(FileNotFoundError, match='data_root'):
        RefSRDataset(tmp_path / 'nowhere', 'test')
    for path in (root / 'test' / 'ref').iterdir():
        path.unlink()
    (root / 'test' / 'ref').rmdir()
    with pytest.raises(FileNotFoundError, match='needs lr, hr and ref'):
        RefSRDataset(root, 'test')


def test_no_common_stem(root):
    (root / 'manifest.json').unlink()
    (root / 'train' / 'ref' / 'run9_0000.png').rename(
        root / 'train' / 'ref' / 'run9_0001.png'
    )
    with pytest.raises(ValueError, match='no sample'):
        RefSRDataset(root, 'train')


@pytest.mark.parametrize(
    'wrong', [{'split': 'val'}, {'reference': 'none'}, {'max_samples': 0}]
)
def test_arguments_are_checked(root, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RefSRDataset(root, **{'split': 'test', **wrong})


def test_lazy_init_lists_nothing(tmp_path):
    dataset = DATASETS.build(
        dict(type='mmdsr.RefSRDataset', data_root=tmp_path, lazy_init=True)
    )
    with pytest.raises(FileNotFoundError):
        dataset.full_init()


def test_data_needs_no_host_package():
    code = (
        'import sys, mmdsr.datasets, mmdsr.transforms, mmdsr.evaluation;'
        'bad = {"mmagic", "mmdet", "mmseg", "mmpretrain", "diffusers",'
        ' "transformers"} & set(sys.modules); sys.exit(str(bad) if bad else 0)'
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ('host', 'registry', 'name'),
    [
        ('mmseg', 'DATASETS', 'PipeSegDataset'),
        ('mmseg', 'TRANSFORMS', 'LoadPipeMask'),
        ('mmpretrain', 'DATASETS', 'SewerMLDataset'),
    ],
)
def test_a_missing_host_is_named(monkeypatch, host, registry, name):
    import mmdsr.registry

    for module in list(sys.modules):
        if module.split('.')[0] == host or module.endswith(
            ('.pipe_seg', '.load_pipe_mask', '.sewer_ml')
        ):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, host, None)
    with pytest.raises(ImportError, match=f'mmdsr.{name} .*{host}'):
        getattr(mmdsr.registry, registry).get(f'mmdsr.{name}')
