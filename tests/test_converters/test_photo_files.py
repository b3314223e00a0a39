import cv2
import numpy as np
import photo_makers
import pytest

from mmdsr.converters.photo_files import (
    Gate,
    Photo,
    attribute,
    find_photos,
    license_of,
    load_photo,
    measure,
    passes,
    read_attribution,
    share_out,
    split_photos,
    survey,
)


@pytest.mark.parametrize(
    ('text', 'name'),
    [
        ('CC0-1.0', 'CC0'),
        ('CC0 (Unsplash before 2017-06-08)', 'CC0'),
        ('CC-BY-4.0', 'CC-BY'),
        ('CC BY 4.0', 'CC-BY'),
        ('cc-by-sa-3.0', 'CC-BY-SA'),
        ('MIT', 'MIT'),
        ('BSD-2-Clause (repository)', 'BSD-2-Clause'),
        ('Unsplash (stated there as public domain)', 'public domain'),
        ('CC-BY-NC-4.0', None),
        ('CC BY-ND 4.0', None),
        ('CC-BY-NC-SA-4.0', None),
        ('GPL-2+', None),
        ('not public domain', None),
        ('LIMITED', None),
        ('', None),
    ],
)
def test_licenses(text, name):
    assert license_of(text) == name


def test_measures_tell_sharp_soft_and_flat_apart():
    sharp = photo_makers.picture(0)
    soft = cv2.GaussianBlur(sharp, (0, 0), 1.5)
    flat = np.clip(128 + (sharp.astype(float) - 128) * 0.03, 0, 255)
    assert passes(sharp, Gate()) == ''
    assert passes(soft, Gate()) == 'soft'
    assert passes(flat.astype(np.uint8), Gate()) == 'flat'
    assert passes(np.full((64, 64, 3), 90, np.uint8), Gate()) == 'flat'
    # Contrast is no sharpness.
    pale = (sharp // 2 + 60).astype(np.uint8)
    assert measure(pale)[0] == pytest.approx(measure(sharp)[0], rel=0.05)
    assert measure(pale)[1] == pytest.approx(measure(sharp)[1] / 2, rel=0.05)


def test_survey_keeps_the_sharp_half(tmp_path):
    image = photo_makers.picture(0, 320, 128)
    image[:, :160] = cv2.GaussianBlur(image, (0, 0), 2)[:, :160]
    path = photo_makers.save(tmp_path / 'a.png', image)
    photo = survey(Photo(path, 'a'), (64, 64), 1600, Gate())
    assert photo.looked == 9 * 3
    assert not photo.problem
    assert {x for x, _ in photo.origins} == {128, 160, 192, 224, 256}
    assert photo.soft + photo.flat == 4 * 3
    assert photo.soft > 0


def test_survey_gives_reasons_for_refusal(tmp_path):
    small = photo_makers.save(tmp_path / 'a.png', photo_makers.picture(0))
    photo = survey(Photo(small, 'a'), (256, 64), 1600, Gate())
    assert photo.problem == '240x200 is smaller than 256x64'
    photo = survey(Photo(small, 'a'), (128, 64), 200, Gate())
    assert photo.problem == '120x100 when halved is smaller than 128x64'
    soft = cv2.GaussianBlur(photo_makers.picture(0), (0, 0), 2)
    soft = photo_makers.save(tmp_path / 'b.png', soft)
    photo = survey(Photo(soft, 'b'), (64, 64), 1600, Gate())
    assert photo.problem == 'no crop is sharp enough'
    soft.write_bytes(soft.read_bytes()[:500])
    photo = survey(Photo(soft, 'b'), (64, 64), 1600, Gate())
    assert 'unreadable' in photo.problem


def test_halving(tmp_path):
    path = photo_makers.save(
        tmp_path / 'a.png', photo_makers.picture(0, 131, 75)
    )
    full, small, factor = load_photo(path, 131)
    assert factor == 1
    assert full is small
    assert full.shape == (75, 131, 3)
    full, small, factor = load_photo(path, 130)
    assert factor == 2
    assert full.shape == (74, 130, 3)
    mean = full.reshape(37, 2, 65, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - mean).max() <= 0.51


def test_finding(tmp_path):
    for name in ('b 1.png', 'a_2.JPG', 'in/a_2.jpg', '.hidden.png', 't.txt'):
        photo_makers.save(
            (tmp_path / name).with_suffix('.png'), photo_makers.picture()
        ).rename(tmp_path / name)
    found = find_photos(tmp_path)
    assert [photo.name for photo in found] == ['a-2', 'b-1', 'in-a-2']
    assert len(find_photos(tmp_path, [tmp_path / 'in'])) == 2
    photo_makers.save(tmp_path / 'a-2.png', photo_makers.picture())
    with pytest.raises(ValueError, match='both become a-2'):
        find_photos(tmp_path)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match='no images'):
        find_photos(tmp_path / 'empty')


def test_attribution_decides(tmp_path):
    root = photo_makers.folder(
        tmp_path, ('CC0-1.0', 'CC-BY-NC-4.0', 'CC-BY-SA-4.0')
    )
    photo_makers.save(root / 'stray.png', photo_makers.picture())
    rows = read_attribution(root / 'ATTRIBUTION.csv')

    def used(**options):
        photos = find_photos(root)
        usable = attribute(photos, root, rows, **options)
        return [p.name for p in usable], [p.problem for p in photos]

    names, problems = used()
    assert names == ['photo-0', 'photo-2']
    assert 'CC-BY-NC-4.0' in problems[1]
    assert 'not one of CC0' in problems[1]
    assert problems[3] == 'no row in ATTRIBUTION.csv'
    names, problems = used(exclude=['CC-BY-SA'])
    assert names == ['photo-0']
    assert problems[2] == 'license CC-BY-SA is excluded'
    assert len(used(any_license=True)[0]) == 4


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('', 'needs a header'),
        ('file,author\na.png,Ann\n', 'needs a header'),
        ('file,license\na.png\n', 'line 2'),
        ('file,license\na.png,MIT,more\n', 'line 2'),
        ('file,license\na.png,MIT\na.png,MIT\n', 'twice'),
        ('file,license\na.png,"MIT\n', 'end of data'),
    ],
)
def test_bad_attribution(tmp_path, text, reason):
    path = tmp_path / 'a.csv'
    path.write_text(text)
    with pytest.raises(ValueError, match=reason) as error:
        read_attribution(path)
    assert str(path) in str(error.value)


def test_unreadable_attribution(tmp_path):
    path = tmp_path / 'a.csv'
    with pytest.raises(ValueError, match='cannot be read: No such file'):
        read_attribution(path)
    path.write_bytes(b'file,license\n\xff,MIT\n')
    with pytest.raises(ValueError, match='cannot be read'):
        read_attribution(path)


def test_scenes_stay_together():
    photos = [Photo(None, f'p{k}', scene=f's{k // 3}') for k in range(30)]
    splits = split_photos(photos, 0.2, seed=4)
    scenes = [{p.scene for p in splits[key]} for key in ('train', 'test')]
    assert len(scenes[0]) == 8
    assert len(scenes[1]) == 2
    assert not scenes[0] & scenes[1]
    assert split_photos(photos, 0.2, seed=4) == splits
    assert split_photos(photos, 0.2, seed=5) != splits
    assert len(split_photos(photos, 0.01, 0)['test']) == 3
    assert len(split_photos(photos, 0.99, 0)['train']) == 3
    assert not split_photos(photos, 0.0, 0)['test']
    assert not split_photos(photos, 1.0, 0)['train']
    with pytest.raises(ValueError, match='only one scene'):
        split_photos(photos[:3], 0.2, 0)


def test_pairs_are_shared_out_by_scene():
    photos = [Photo(None, 'a', scene='a')]
    photos += [Photo(None, f'b{k}', scene='b') for k in range(4)]
    # The scene of four counts as two.
    assert share_out(photos, 300) == [100, 50, 50, 50, 50]
    assert sum(share_out(photos, 7)) == 7
