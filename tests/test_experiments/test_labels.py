"""Labels of a plot, none over another."""

import itertools

import pytest

from mmdsr.experiments.labels import label_points


@pytest.fixture
def axes():
    pytest.importorskip('matplotlib')
    from matplotlib.figure import Figure

    axes = Figure(figsize=(6, 4)).subplots()
    axes.set_xlim(0, 10)
    axes.set_ylim(0, 10)
    return axes


def boxes(axes):
    return [text.get_window_extent() for text in axes.texts]


def test_near_points_and_points_at_the_edge(axes):
    points = [(5, 5), (5, 5), (5.05, 5.1), (5.1, 4.9), (9.9, 5), (0.1, 5)]
    names = [f'network {number}' for number in range(len(points))]
    label_points(axes, names, points)
    assert [text.get_text() for text in axes.texts] == names
    for one, other in itertools.combinations(boxes(axes), 2):
        assert not one.overlaps(other)
    for box in boxes(axes):
        assert axes.bbox.x0 <= box.x0 < box.x1 <= axes.bbox.x1


def test_a_single_point_has_its_label_at_the_upper_right(axes):
    label_points(axes, ['one'], [(5, 5)])
    (box,) = boxes(axes)
    x, y = axes.transData.transform((5, 5))
    assert x < box.x0 < x + 20
    assert y < box.y0 < y + 20


def test_no_label_is_lost_in_a_crowd(axes):
    label_points(axes, ['a long name'] * 30, [(5, 5)] * 30)
    assert len(axes.texts) == 30


def test_no_points(axes):
    label_points(axes, [], [])
    assert not axes.texts
