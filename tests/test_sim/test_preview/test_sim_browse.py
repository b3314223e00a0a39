import shutil

import cv2
import numpy as np
import pytest
from fake_run import FakeRun, make, tiny_plan

from mmdsr.datasets.packed import pack
from mmdsr.io.images import downscale, write_png
from mmdsr.sim.preview import browse
from mmdsr.sim.preview.browse import (
    place_beside,
    read_rows_of,
    render_rows,
    spread,
)
from mmdsr.sim.preview.contact_sheet import (
    FAR,
    NEAR,
    Mark,
    Row,
    contact_sheet,
    draw_marks,
    nearness,
)


@pytest.fixture(scope='module')
def sets(tmp_path_factory):
    root = tmp_path_factory.mktemp('sets')
    for layout in ('refsr', 'pipe', 'multilabel'):
        make(root / layout, tiny_plan(layout, frames=(0, 3)))
    return root


def gray(value, height=40, width=60):
    return np.full((height, width, 3), value, np.uint8)


def test_spread():
    assert spread(range(10), 4) == [0, 2, 5, 7]
    assert spread('ab', 5) == ['a', 'b']


def test_nearness_is_by_the_log_of_the_depth():
    depth = np.array([[NEAR, np.sqrt(NEAR * FAR), FAR, np.nan, 0]])
    expected = [[1, 0.5, 0, np.nan, np.nan]]
    np.testing.assert_allclose(nearness(depth), expected, atol=1e-6)


def test_marks_are_drawn_at_their_positions():
    image = gray(100, 80, 80)
    mask = np.zeros((80, 80), bool)
    mask[30:50, 30:50] = True
    marks = [Mark('RO', mask, (30, 30, 20, 20))]
    drawn = draw_marks(image, marks, {'RO': (255, 100, 100)})
    assert (image == 100).all()
    changed = (drawn != image).any(-1)
    assert changed[mask].all()
    assert changed[:30].any()  # the name, above
    assert not changed[51:].any()
    assert not changed[:, 75:].any()


@pytest.mark.parametrize('layout', ['refsr', 'pipe', 'multilabel'])
def test_a_data_set_on_disk(sets, layout):
    rows = read_rows_of(sets / layout, 'train', number=3)
    plan = tiny_plan(layout)
    run = FakeRun(5, 0, (64, 64), defects=plan.runs[0].defects)
    frame, ref = run.frame(0), run.frame(1)
    np.testing.assert_array_equal(rows[0].image, frame.image)
    np.testing.assert_array_equal(rows[0].ref, ref.image)
    np.testing.assert_allclose(rows[0].depth, 1.0)
    if layout == 'pipe':
        assert [mark.name for mark in rows[0].marks] == ['JO', 'IN']
        for number, mark in enumerate(rows[0].marks, 1):
            np.testing.assert_array_equal(mark.mask, frame.defect == number)
        assert rows[2].marks == []
    elif layout == 'multilabel':
        assert [text[:2] for text in rows[0].labels] == ['RB', 'GR']
        assert rows[2].labels == []
    else:
        np.testing.assert_array_equal(rows[0].lr, downscale(frame.image))
    sheet = contact_sheet(rows, width=128)
    assert sheet.shape[0] > 3 * 128
    assert sheet.shape[1] > 4 * 128


def test_a_packed_data_set(sets, tmp_path):
    before = read_rows_of(sets / 'refsr', 'train', number=3)
    packed = pack(sets / 'refsr', tmp_path / 'packed')
    after = read_rows_of(packed, 'train', number=3)
    assert [row.caption for row in after] == [row.caption for row in before]
    for one, other in zip(before, after, strict=True):
        for key in ('image', 'depth', 'ref', 'lr'):
            np.testing.assert_array_equal(
                getattr(one, key), getattr(other, key)
            )


@pytest.mark.parametrize(
    ('layout', 'folder'), [('refsr', 'train/hr'), ('pipe', 'images/train')]
)
def test_a_damaged_image_is_named(sets, tmp_path, layout, folder):
    root = tmp_path / 'set'
    shutil.copytree(sets / layout, root)
    path = min((root / folder).iterdir())
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match=path.name):
        read_rows_of(root, 'train')


def test_samples_can_be_chosen_by_label(sets):
    rows = read_rows_of(sets / 'pipe', 'train', 8, ['IN'])
    assert len(rows) == 2
    rows = read_rows_of(sets / 'multilabel', 'train', 8, ['RB', 'AF'])
    assert len(rows) == 2
    with pytest.raises(ValueError, match='no test samples with RO'):
        read_rows_of(sets / 'pipe', 'test', 8, ['RO'])
    with pytest.raises(ValueError, match='no labels'):
        read_rows_of(sets / 'refsr', 'test', 8, ['RO'])


def test_rendered_rows(monkeypatch):
    class Camera(FakeRun):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.scene.material = type('M', (), {'name': 'clay'})
            self.scene.section, self.scene.radius = 'egg', 0.3
            self.scene.motion = 'zoom'

    rows = render_rows(3, [4, 5], 2, (64, 64), ['RO', 'FS'], camera=Camera)
    assert [[m.name for m in row.marks] for row in rows] == [['RO'], ['FS']]
    frame = Camera(3, 5, (64, 64), defects=('FS',)).frame(2)
    np.testing.assert_array_equal(rows[1].image, frame.image)
    assert 'egg' in rows[0].caption


def test_a_class_has_one_colour_in_all_rows():
    mask = np.zeros((100, 100), bool)
    mask[30:70, 30:70] = True
    box = (30, 30, 40, 40)
    rows = [
        Row(
            '', gray(0, 100, 100), None, [Mark(name, mask, box)], None, gray(0)
        )
        for name in ('RO', 'FS', 'RO')
    ]
    sheet = contact_sheet(rows, 100)
    # Middle of the third cell, counted from below: rows of 100 + caption 22.
    first, second, third = (
        tuple(sheet[-72 - 122 * i, 2 * 106 + 56]) for i in (2, 1, 0)
    )
    assert first == third != second
    assert (0, 0, 0) not in (first, second)


def test_the_comparison_has_equal_size_and_aspect(tmp_path):
    wide = np.zeros((50, 200, 3), np.uint8)
    wide[:, 100:] = 200
    write_png(tmp_path / 'a/wide.png', wide)
    (tmp_path / 'a' / 'notes.txt').write_text('no image')
    rows = [Row(str(i), gray(90), None, None, None, gray(80)) for i in (0, 1)]
    first, second = place_beside(rows, tmp_path)
    assert first.beside.shape == rows[0].image.shape
    assert second.beside is None
    # Cut at the sides, not squeezed: the edge stays in the middle.
    np.testing.assert_array_equal(first.beside[20, :25], 0)
    np.testing.assert_array_equal(first.beside[20, 35:], 200)
    plain = contact_sheet(rows, 120)
    more = contact_sheet([first, second], 120)
    assert more.shape[1] == plain.shape[1] + 120 + 6
    (tmp_path / 'a/wide.png').unlink()
    with pytest.raises(ValueError, match='no images'):
        place_beside(rows, tmp_path)
    with pytest.raises(ValueError, match='no folder'):
        place_beside(rows, tmp_path / 'nowhere')


def test_images_of_any_size_fit_into_one_sheet():
    rows = [
        Row('small', gray(90, 30, 40), None, None, None, gray(80, 60, 40)),
        Row('größer', gray(90, 400, 300), None, None, ['x'], gray(8)),
    ]
    sheet = contact_sheet(rows, 100)
    assert sheet.dtype == np.uint8
    assert (cv2.cvtColor(sheet, cv2.COLOR_RGB2GRAY) == 90).sum() > 9000
    with pytest.raises(ValueError, match='no sample'):
        contact_sheet([])
    with pytest.raises(ValueError, match='wide'):
        contact_sheet(rows, 10)


def test_no_data_set(tmp_path):
    with pytest.raises(ValueError, match='not a data set'):
        browse.read_rows_of(tmp_path)
