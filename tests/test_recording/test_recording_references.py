"""Which other frames a frame takes detail from, and why."""

import numpy as np
import pytest
from video_makers import blurred

from mmdsr.dev.views import drive, texture, view
from mmdsr.recording.neighbors import find_references, offsets, reach_of


def numbered(pictures, start=0):
    return [(start + n, n / 25, p) for n, p in enumerate(pictures)]


def moments(items, policy='auto', rate=25, wanted=None, file=None, **options):
    found = find_references(
        iter(items),
        policy,
        wanted or (lambda index, time: True),
        lambda picture, time: picture,
        rate,
        file,
        **options,
    )
    return list(found)


def chosen(moment):
    return [one.index for one in moment.references]


@pytest.fixture(scope='module')
def drive_in():
    """A camera that comes nearer by 1 % a frame."""
    return drive(texture(), 30, 1.01)


def test_offsets_follow_the_rate():
    assert offsets(25) == (1, 6, 12, -1, -6, -12)
    assert offsets(5) == (1, 2, -1, -2)
    assert offsets(1) == (1, -1)
    assert offsets(240) == (1, 15, -1, -15)
    assert reach_of('auto', 25) == 12
    assert reach_of('next', 25) == 1


@pytest.mark.slow
def test_auto_prefers_nearer_frames(drive_in):
    found = moments(numbered(drive_in))
    assert [moment.index for moment in found] == list(range(30))
    pairs = moments(numbered(drive_in), most=2)
    for moment, pair in zip(found[:17], pairs, strict=False):
        assert chosen(moment)[0] in (moment.index + 6, moment.index + 12)
        assert len(moment.references) == 1
        assert chosen(pair)[0] == chosen(moment)[0]
        assert len(pair.references) == 2
        assert pair.references[0].score >= pair.references[1].score > 0
    # A camera that draws back has seen it nearer before.
    back = moments(numbered(drive_in[::-1]))
    for moment in back[13:]:
        assert chosen(moment)[0] in (moment.index - 6, moment.index - 12)


def test_the_pictures_are_those_of_the_frames(drive_in):
    for moment in moments(numbered(drive_in))[5:9]:
        np.testing.assert_array_equal(moment.picture, drive_in[moment.index])
        for one in moment.references:
            np.testing.assert_array_equal(one.picture, drive_in[one.index])


def test_a_blurred_frame_is_not_chosen(drive_in):
    def best(pictures):
        (one,) = moments(numbered(pictures), wanted=lambda i, _: i == 6)
        return chosen(one)[0]

    first = best(drive_in)
    pictures = list(drive_in)
    pictures[first] = blurred(pictures[first], 2)
    assert best(pictures) != first


def test_no_reference_across_a_cut():
    one = drive(texture(), 14, 1.01)
    tint = np.uint8([0.5, 0.9, 1.0] * np.float32(texture(1)))
    other = drive(255 - tint, 14, 1.01)
    found = moments(numbered(one + other))
    assert [m.index for m in found if m.cut] == [14]
    for moment in found:
        for index in chosen(moment):
            assert (index < 14) == (moment.index < 14)
    for policy, edge in (('next', 13), ('previous', 14)):
        found = moments(numbered(one + other), policy)
        assert not found[edge].references
        assert found[edge].why == 'there is a cut between them'
        assert chosen(found[5]) == [6 if policy == 'next' else 4]
    lonely = moments(numbered([*one[:3], other[0], *one[3:6]]))
    assert lonely[3].why == 'separated from the neighboring frames by cuts'


def test_no_reference_while_the_camera_turns():
    # Each frame shows another part of the wall.
    surface = texture(0, 600, 6000)
    turn = [view(surface, 1.0, -2500 + 180 * n) for n in range(12)]
    found = moments(numbered(turn))
    assert all(not moment.references for moment in found)
    assert 'rotates or has too little texture' in found[6].why


def test_requested_references_are_used(drive_in):
    assert all(
        not m.references and m.why == 'as asked'
        for m in moments(numbered(drive_in[:4]), 'none')
    )
    before = moments(numbered(drive_in[:4]), 'previous')
    assert [chosen(m) for m in before] == [[], [0], [1], [2]]
    assert before[0].why == 'there is no previous frame'
    file = texture(3)
    (own, *_) = moments(numbered(drive_in[:4]), 'file', file=file)
    assert own.references[0].index is None
    assert own.references[0].picture is file


@pytest.mark.slow
def test_choice_is_independent_of_parts(drive_in):
    """Parts of a film are the film's."""
    items = numbered(drive_in)
    whole = {m.index: (chosen(m), m.why, m.cut) for m in moments(items)}
    for wanted in (range(8, 12), range(0, 30, 7), range(25, 30)):
        near = [
            item
            for item in items
            if any(abs(item[0] - index) <= 12 for index in wanted)
        ]
        part = moments(near, wanted=lambda i, _, w=wanted: i in w)
        assert [m.index for m in part] == list(wanted)
        for m in part:
            assert (chosen(m), m.why, m.cut) == whole[m.index]


def test_frames_that_are_missing_are_a_gap(drive_in):
    items = [item for item in numbered(drive_in) if item[0] != 10]
    found = {m.index: m for m in moments(items)}
    assert 10 not in found
    for moment in found.values():
        for index in chosen(moment):
            assert (index < 10) == (moment.index < 10)
