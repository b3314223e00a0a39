import numpy as np
import pytest
from video_makers import blurred

from mmdsr.dev.views import drive, texture, view
from mmdsr.video.filters import measure
from mmdsr.video.matching import (
    FrameMatch,
    find_features,
    match_features,
)
from mmdsr.video.references import (
    MatchJournal,
    choose_references,
    score,
)


def candidates(images, shots=None):
    made = [measure(i, i / 5, image) for i, image in enumerate(images)]
    for candidate, shot in zip(made, shots or [], strict=bool(shots)):
        candidate.shot = shot
    return made


def references(images, shots=None, **kwargs):
    choices = list(choose_references(candidates(images, shots), **kwargs))
    assert [c.frame.index for c in choices] == list(range(len(images)))
    return [c.reference.index if c.reference else None for c in choices]


def match(one, other):
    return match_features(find_features(one), find_features(other))


@pytest.mark.parametrize('growth', [1.3, 1 / 1.3, 1.0])
def test_scale_is_measured(growth):
    surface = texture(7)
    found = match(view(surface), view(surface, growth, x=8, y=4))
    assert found.inliers > 40
    assert found.spread > 0.4
    assert found.scale == pytest.approx(growth, rel=0.03)
    back = found.reverse()
    assert back.scale == pytest.approx(1 / growth, rel=0.03)
    assert back.spread == found.spread_back


def test_spread_is_where_the_matches_are():
    one, other = view(texture(7)), view(texture(8))
    other[:40, :48] = one[:40, :48]  # a corner of 1/16 stands still
    found = match(one, other)
    assert found.inliers >= 10
    assert found.spread < 0.12


@pytest.mark.parametrize('size', [(192, 160), (1280, 960)])
def test_no_match_between_strangers(size):
    surfaces = [texture(seed, 1000, 1400) for seed in (1, 2)]
    images = [view(surface, size=size) for surface in surfaces]
    assert match(*images).inliers < 15


def test_flat_frames_do_not_match():
    flat = np.full((160, 192, 3), 90, np.uint8)
    assert match(flat, flat) == FrameMatch()
    dots = flat.copy()
    for number in range(15):  # different ones, on one line
        y, side = 8 + 10 * number, 2 + number % 5
        left = 96 - side // 2
        dots[y : y + side, left : left + side] = 255 - 8 * number
    # They are enough, but give no geometry.
    assert len(find_features(dots).points) >= 10
    assert match(dots, dots) == FrameMatch()


def test_the_nearer_frame_is_preferred():
    images = drive(texture(9), 8)
    forward = references(images, window=2)
    assert all(ref > i for i, ref in enumerate(forward[:-1]))
    assert forward[-1] == 6  # nothing nearer comes
    # Driving back, what lies behind in time is nearer.
    backward = references(images[::-1], window=2)
    assert all(ref < i for i, ref in enumerate(backward[1:], 1))


def test_the_sharper_frame_is_preferred():
    surface = texture(10)
    images = [view(surface, x=10 * i) for i in range(3)]
    images[2] = blurred(images[2], 1.2)
    assert references(images)[1] == 0
    images[0], images[2] = blurred(images[0], 1.2), view(surface, x=20)
    assert references(images)[1] == 2


def test_score():
    frame, sharp = candidates([view(texture(1)), view(texture(1), x=9)])
    good = score(frame, sharp, FrameMatch(60, 0.5, 1.2), 15)
    assert good > score(frame, sharp, FrameMatch(60, 0.5, 1 / 1.2), 15)
    assert good > score(frame, sharp, FrameMatch(20, 0.5, 1.2), 15)
    # Twice the support is not worth being farther away.
    assert score(frame, sharp, FrameMatch(30, 0.5, 1.2), 15) > score(
        frame, sharp, FrameMatch(200, 0.5, 1 / 1.2), 15
    )


def test_no_usable_reference():
    images = [*drive(texture(11), 4), view(texture(12))]
    assert references(images) == [3, 3, 3, 2, None]


def test_static_content_at_the_border_is_no_support():
    images = [view(texture(seed), size=(256, 192)) for seed in range(5)]
    for image in images[1:]:
        image[:24, :200] = images[0][:24, :200]  # such as a line of text
    assert references(images) == [None] * 5
    # It does match: the spread is what refuses it.
    loose = references(images, min_spread=0)
    assert None not in loose


def test_no_reference_beyond_a_cut_or_the_window():
    surface = texture(13)
    images = [view(surface, x=4 * i) for i in range(6)]
    refs = references(images, shots=[0, 0, 0, 1, 1, 1])
    assert all((ref < 3) == (i < 3) for i, ref in enumerate(refs))
    refs = references(images, window=1)
    assert all(abs(ref - i) == 1 for i, ref in enumerate(refs))
    assert references(images[:1]) == [None]
    assert references([]) == []


def test_memory_is_bounded_by_the_window():
    taken = []

    def source():
        for candidate in candidates(drive(texture(14), 10, 1.02)):
            taken.append(candidate.index)
            yield candidate

    for choice in choose_references(source(), window=2):
        assert len(taken) - choice.frame.index <= 4


def test_journal(tmp_path, monkeypatch):
    images = drive(texture(15), 6)
    path = tmp_path / 'matches'
    first = references(images, journal=MatchJournal(path))
    whole = path.read_bytes()
    # As after an interruption: some lines, the last one half written.
    half = whole[: len(whole) // 2]
    path.write_bytes(half)
    made = []
    monkeypatch.setattr(
        'mmdsr.video.references.match_features',
        lambda one, other: made.append(1) or match_features(one, other),
    )
    assert references(images, journal=MatchJournal(path)) == first
    assert path.read_bytes() == whole
    assert len(made) == whole.count(b'\n') - half.count(b'\n')
    made.clear()
    assert references(images, journal=MatchJournal(path)) == first
    assert not made


def test_the_middle_of_a_far_frame_is_enough():
    # What the nearer frame shows all over is a small part of the farther.
    surface = texture(16)
    far, near = view(surface), view(surface, 2.4)
    found = match(far, near)
    assert found.spread < 0.4 < found.spread_back
    assert references([far, near], min_spread=0.4) == [1, 0]
    assert references([far, near], min_spread=1.0) == [None, None]
