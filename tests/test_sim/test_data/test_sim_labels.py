from types import SimpleNamespace

import numpy as np
import pytest
from fake_run import FakeRun

from mmdsr.datasets.pipe_labels import PIPE_IDS
from mmdsr.datasets.sewer_ml_csv import CLASSES, HEADER
from mmdsr.sim.data.labels import (
    MIN_AREA,
    PIPE_CLASSES,
    SEWER_ML_CLASSES,
    find_instances,
    pipe_mask,
    sewer_ml_row,
    water_percent,
)
from mmdsr.sim.scene.defects import KINDS

SEWER_ML = (
    'Filename,WaterLevel,VA,RB,OB,PF,DE,FS,IS,RO,IN,AF,BE,FO,GR,PH,PB,OS,OP,'
    'OK,ND,Defect'
)


def frame_of(ids, luma=120, overlay=None):
    image = np.full((*ids.shape, 3), luma, np.uint8)
    hidden = np.zeros(ids.shape, bool) if overlay is None else overlay
    return SimpleNamespace(image=image, defect=ids, overlay=hidden)


def kinds(*codes):
    return [SimpleNamespace(kind=code) for code in codes]


def square(side, number=1, at=(20, 30), size=(100, 120)):
    ids = np.zeros(size, np.uint8)
    ids[at[0] : at[0] + side, at[1] : at[1] + side] = number
    return ids


def test_the_header_is_that_of_sewer_ml():
    assert ','.join(HEADER) == SEWER_ML
    assert set(SEWER_ML_CLASSES.values()) <= set(CLASSES)
    assert set(PIPE_CLASSES.values()) == set(PIPE_IDS)
    assert sorted(PIPE_IDS.values()) == [1, 2, 3]


def test_every_kind_of_the_simulator_has_a_class():
    assert set(KINDS) == set(SEWER_ML_CLASSES)
    assert set(PIPE_CLASSES) <= set(KINDS)


def test_box_and_mask_span_all_parts_of_an_instance():
    ids = square(8) + square(9, at=(60, 70))
    (found,) = find_instances(frame_of(ids), kinds('RO'))
    assert found.kind == 'RO'
    assert found.box == (30, 20, 49, 49)
    np.testing.assert_array_equal(found.mask, ids == 1)


def test_two_instances_of_a_kind_are_two():
    ids = square(8) + square(8, 2, at=(20, 38))
    found = find_instances(frame_of(ids), kinds('IN', 'IN'))
    assert [instance.box for instance in found] == [
        (30, 20, 8, 8),
        (38, 20, 8, 8),
    ]


def test_specks_slivers_and_the_dark_are_left_out():
    enough = int(np.ceil(np.sqrt(MIN_AREA * 100 * 120)))
    assert find_instances(frame_of(square(enough)), kinds('RB'))
    assert not find_instances(frame_of(square(enough - 1)), kinds('RB'))
    sliver = np.zeros((100, 120), np.uint8)
    sliver[50, 10:110] = 1
    assert not find_instances(frame_of(sliver), kinds('RB'))
    sliver[50:52, 10:110] = 1
    assert find_instances(frame_of(sliver), kinds('RB'))
    assert not find_instances(frame_of(square(20), luma=8), kinds('RB'))


def test_black_hole_in_a_bright_wall_is_labeled():
    frame = frame_of(square(10))
    frame.image[frame.defect > 0] = 0
    assert find_instances(frame, kinds('GR'))


def test_defects_hidden_by_text_are_not_labeled():
    text = np.zeros((100, 120), bool)
    text[:25] = True
    (found,) = find_instances(frame_of(square(10), overlay=text), kinds('FO'))
    assert found.box == (30, 25, 10, 5)
    text[:30] = True
    assert not find_instances(frame_of(square(10), overlay=text), kinds('FO'))


def test_pipe_mask_has_the_classes_of_the_labels():
    ids = square(20) + square(20, 2, at=(60, 10)) + square(9, 3, at=(60, 90))
    ids[0, 0] = 4  # a speck
    found = find_instances(frame_of(ids), kinds('FS', 'IN', 'RO', 'IL'))
    mask = pipe_mask(found, ids.shape)
    assert mask.dtype == np.uint8
    expected = np.array([0, PIPE_IDS['JO'], PIPE_IDS['IN'], 0, 0])[ids]
    np.testing.assert_array_equal(mask, expected)


def test_rows():
    def named(*args):
        row = sewer_ml_row(*args)
        assert tuple(row) == HEADER
        return row

    row = named('a_1.png', ['IL', 'RB', 'RB'], 12)
    assert row.pop('Filename') == 'a_1.png'
    assert row.pop('WaterLevel') == 12
    assert {key for key, value in row.items() if value} == {
        'GR',
        'RB',
        'Defect',
    }
    row = named('a_2.png', [], 0)
    assert [key for key, value in row.items() if value == 1] == ['ND']
    assert set(row.values()) == {'a_2.png', 0, 1}


@pytest.mark.parametrize(
    ('filled', 'percent'), [(0.0, 0), (0.124, 12), (0.996, 100)]
)
def test_water_level(filled, percent):
    assert water_percent(SimpleNamespace(filled=filled)) == percent


def test_fake_camera_shows_the_requested_scene():
    run = FakeRun(0, 0, (64, 64), defects=('FS', 'IN', 'RO'))
    found = find_instances(run.frame(3), run.defects)
    assert [instance.kind for instance in found] == ['FS', 'IN']
