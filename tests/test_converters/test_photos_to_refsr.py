import csv
import os

import cv2
import numpy as np
import photo_makers
import pytest
from PIL import Image

import mmdsr.converters.photos_to_refsr as module
from mmdsr.converters.photo_pairs import PairSpread
from mmdsr.converters.photo_recipe import Recipe
from mmdsr.converters.photos_to_refsr import photos_to_refsr
from mmdsr.datasets.refsr_dataset import RefSRDataset
from mmdsr.io.checksums import verify
from mmdsr.io.flow_values import read_flow
from mmdsr.io.images import downscale
from mmdsr.io.manifest import read_manifest, run_of

SMALL = Recipe(size=(96, 64))
FOUR = ('CC0-1.0', 'CC-BY-4.0', 'MIT', 'CC-BY-SA-4.0')


def contents(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob('*')
        if path.is_file()
    }


def table(out):
    with (out / 'ATTRIBUTION.csv').open() as file:
        return list(csv.DictReader(file))


def test_a_data_set(tmp_path):
    root, out = photo_makers.folder(tmp_path / 'in', FOUR), tmp_path / 'out'
    summary = photos_to_refsr(root, out, SMALL, (7, 3), test_share=0.25)
    assert summary.samples == {'train': 7, 'test': 3}
    assert summary.photos == {'train': 3, 'test': 1}
    assert summary.crops['looked'] > 0
    assert not summary.warnings()
    assert [p.name for p in sorted(tmp_path.iterdir())] == ['in', 'out']
    assert verify(out) == []

    splits = read_manifest(out)['splits']
    runs = [{run_of(stem) for stem in splits[key]} for key in splits]
    assert len(runs[0]) == 3
    assert len(runs[1]) == 1
    assert not runs[0] & runs[1]
    for split, stems in splits.items():
        for stem in stems:
            folder = out / split
            hr, lr, ref = (
                np.asarray(Image.open(folder / key / f'{stem}.png'))
                for key in ('hr', 'lr', 'ref')
            )
            assert hr.shape == ref.shape == (64, 96, 3)
            np.testing.assert_array_equal(lr, downscale(hr))
            flow, visible = read_flow(folder / 'flow' / f'{stem}.png')
            assert flow.shape == (16, 24, 2)
            assert visible.any()
            # HR is clean: a part of its photograph, pixel by pixel.
            number = run_of(stem).split('-')[1]
            photo = np.asarray(Image.open(root / f'photo_{number}.png'))
            fit = cv2.matchTemplate(photo, hr, cv2.TM_SQDIFF)
            assert fit.min() < 1e-3 * fit.max()
    assert len(RefSRDataset(data_root=str(out), split='train')) == 7

    rows = table(out)
    assert {row['file']: row['license'] for row in rows} == {
        f'photo_{k}.png': name for k, name in enumerate(FOUR)
    }
    assert sum(int(row['pairs']) for row in rows) == 10
    assert [row['split'] for row in rows].count('test') == 1
    assert all(row['author'] == 'Ann' for row in rows)


def test_neither_workers_nor_interruptions_change_a_file(
    tmp_path, monkeypatch
):
    root = photo_makers.folder(tmp_path / 'in')
    one, two, three = (tmp_path / name for name in ('one', 'two', 'three'))
    photos_to_refsr(root, one, SMALL, (5, 2))
    photos_to_refsr(root, two, SMALL, (5, 2), workers=2)
    assert contents(one) == contents(two)

    written = []

    def interrupted(*args, **kwargs):
        if len(written) == 4:
            raise KeyboardInterrupt
        written.append(args)
        module_write(*args, **kwargs)

    module_write = module.write_sample
    monkeypatch.setattr(module, 'write_sample', interrupted)
    with pytest.raises(KeyboardInterrupt):
        photos_to_refsr(root, three, SMALL, (5, 2))
    assert not three.exists()
    with pytest.raises(FileExistsError, match='other settings'):
        photos_to_refsr(root, three, Recipe(size=(64, 64)), (5, 2))
    written.clear()
    monkeypatch.setattr(
        module,
        'write_sample',
        lambda *a, **k: written.append(a) or module_write(*a, **k),
    )
    photos_to_refsr(root, three, SMALL, (5, 2))
    assert len(written) == 3  # the other four were there
    assert contents(one) == contents(three)

    other = tmp_path / 'other'
    photos_to_refsr(root, other, Recipe(size=(96, 64), seed=1), (5, 2))
    assert not {
        data for name, data in contents(other).items() if '/hr/' in name
    } & set(contents(one).values())


def test_changed_photographs_are_other_settings(tmp_path, monkeypatch):
    root = photo_makers.folder(tmp_path / 'in')

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, 'write_sample', stop)
        with pytest.raises(KeyboardInterrupt):
            photos_to_refsr(root, tmp_path / 'out', SMALL, (2, 1))
    photo_makers.save(root / 'photo_0.png', photo_makers.picture(9))
    with pytest.raises(FileExistsError, match='other settings'):
        photos_to_refsr(root, tmp_path / 'out', SMALL, (2, 1))


def test_soft_and_broken_photographs_are_dropped(tmp_path):
    root = photo_makers.folder(tmp_path / 'in', FOUR)
    soft = cv2.GaussianBlur(photo_makers.picture(1), (0, 0), 1.2)
    photo_makers.save(root / 'photo_1.png', soft)
    broken = root / 'photo_2.png'
    broken.write_bytes(broken.read_bytes()[:900])
    out = tmp_path / 'out'
    summary = photos_to_refsr(root, out, SMALL, (4, 0), exclude=['CC-BY-SA'])
    assert summary.samples == {'train': 4}
    dropped = {
        reason: [name.rpartition('/')[2] for name in names]
        for reason, names in summary.dropped.items()
    }
    assert dropped.pop('no crop is sharp enough') == ['photo_1.png']
    assert dropped.pop('license CC-BY-SA is excluded') == ['photo_3.png']
    assert list(dropped.values()) == [['photo_2.png']]
    assert [row['file'] for row in table(out)] == ['photo_0.png']
    assert not (out / 'test').exists()


def test_test_pairs_alone(tmp_path):
    root = photo_makers.folder(tmp_path / 'in')
    summary = photos_to_refsr(root, tmp_path / 'out', SMALL, (0, 3))
    assert summary.samples == {'test': 3}
    assert summary.photos['test'] == 3


def test_the_object_in_front_is_attributed(tmp_path):
    root = photo_makers.folder(tmp_path / 'in', ('CC-BY-4.0',) * 6)
    recipe = Recipe((96, 64))
    summary = photos_to_refsr(root, tmp_path / 'out', recipe, (1, 0))
    rows = table(tmp_path / 'out')
    assert [row['pairs'] for row in rows] == ['1', '0']
    assert {row['license'] for row in rows} == {'CC-BY-4.0'}
    assert summary.photos == {'train': 1}
    alone = Recipe((96, 64), spread=PairSpread(occluded=0))
    photos_to_refsr(root, tmp_path / 'alone', alone, (1, 0))
    assert [row['pairs'] for row in table(tmp_path / 'alone')] == ['1']


@pytest.mark.skipif(os.name == 'nt', reason='names are no bytes')
def test_a_name_that_is_no_text_is_written_legibly(tmp_path):
    root, out = tmp_path / 'in', tmp_path / 'out'
    photo = photo_makers.save(root / 'a.png', photo_makers.picture())
    try:
        photo.rename(root / os.fsdecode(b'foto\xe9.png'))
    except OSError:
        pytest.skip('the disk takes no such name')
    with pytest.raises(ValueError, match=r'no ATTRIBUTION\.csv'):
        photos_to_refsr(root, out, SMALL, (1, 0))
    photos_to_refsr(root, out, SMALL, (1, 0), any_license=True)
    (row,) = table(out)
    assert row['file'] == r'foto\xe9.png'
    # What the message says is what the table may say.
    listed = root / 'ATTRIBUTION.csv'
    listed.write_text('file,license\nfoto\\xe9.png,GPL\n')
    with pytest.raises(ValueError, match=r'foto\\xe9\.png: license .GPL.'):
        photos_to_refsr(root, out, SMALL, (1, 0), overwrite=True)
    listed.write_text('file,license\nfoto\\xe9.png,MIT\n')
    photos_to_refsr(root, out, SMALL, (1, 0), overwrite=True)
    assert table(out)[0]['license'] == 'MIT'


def test_no_license_no_data_set(tmp_path):
    root, out = tmp_path / 'in', tmp_path / 'out'
    photo_makers.save(root / 'a.png', photo_makers.picture())
    with pytest.raises(ValueError, match=r'no ATTRIBUTION\.csv.*any-license'):
        photos_to_refsr(root, out, SMALL, (2, 0))
    (root / 'ATTRIBUTION.csv').write_text('file,license\na.png,GPL-2\n')
    with pytest.raises(ValueError, match=r"may be used: a\.png: .*'GPL-2'"):
        photos_to_refsr(root, out, SMALL, (2, 0))
    assert [p.name for p in tmp_path.iterdir()] == ['in']
    (root / 'ATTRIBUTION.csv').unlink()
    photos_to_refsr(root, out, SMALL, (2, 0), any_license=True)
    assert table(out) == [{'file': 'a.png', 'split': 'train', 'pairs': '2'}]


def test_a_photograph_alone_makes_no_two_splits(tmp_path):
    root = photo_makers.folder(
        tmp_path / 'in', ('MIT', 'MIT'), scenes=['well', 'well']
    )
    with pytest.raises(ValueError, match='only one scene'):
        photos_to_refsr(root, tmp_path / 'out', SMALL, (2, 1))
    with pytest.raises(ValueError, match='is smaller than 960x64'):
        photos_to_refsr(root, tmp_path / 'out', Recipe((960, 64)), (2, 0))
    assert [p.name for p in tmp_path.iterdir()] == ['in']


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        ({'pairs': (0, 0)}, 'pairs'),
        ({'pairs': (-1, 4)}, 'pairs'),
        ({'test_share': 1.0}, 'between 0 and 1'),
        ({'workers': 0}, 'workers'),
    ],
)
def test_options_that_cannot_be(tmp_path, options, reason):
    with pytest.raises(ValueError, match=reason):
        photos_to_refsr(tmp_path, tmp_path / 'out', SMALL, **options)


def test_photographs_in_the_data_set_are_not_deleted(tmp_path):
    root, out = photo_makers.folder(tmp_path / 'in'), tmp_path / 'out'
    photos_to_refsr(root, out, SMALL, (1, 0))
    listed = (root / 'ATTRIBUTION.csv').rename(out / 'mine.csv')
    with pytest.raises(ValueError, match=r'mine\.csv is inside'):
        photos_to_refsr(
            root, out, SMALL, (1, 0), attribution=listed, overwrite=True
        )
    root = root.rename(out / 'raw')
    with pytest.raises(ValueError, match=r'photo_0\.png is inside'):
        photos_to_refsr(
            root, out, SMALL, (1, 0), any_license=True, overwrite=True
        )
    assert len(list(root.iterdir())) == 3
    assert listed.is_file()
