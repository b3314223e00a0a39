import itertools

import cv2
import numpy as np
import pytest

from mmdsr.dev.views import drive, texture, view
from mmdsr.video.overlays import (
    detect_overlays,
    largest_free_box,
)

SIZE = 360, 288


def lumas(frames):
    return [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]


def pan(count=20):
    return [view(texture(3), x=7 * i - 70, size=SIZE) for i in range(count)]


def text(frame, words, x, y):
    for color, thickness in (((0, 0, 0), 4), ((255, 255, 255), 1)):
        cv2.putText(
            frame,
            words,
            (x, y),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.5,
            color,
            thickness,
            cv2.LINE_AA,
        )


def inside(box, boxes):
    x, y, w, h = box
    return any(
        a <= x and b <= y and x + w <= a + c and y + h <= b + d
        for a, b, c, d in boxes
    )


@pytest.mark.parametrize('motion', ['pan', 'drive'])
def test_text_is_found(motion):
    frames = pan() if motion == 'pan' else drive(texture(4), 20, size=SIZE)
    for i, frame in enumerate(frames):
        text(frame, 'MH 12 > MH 13', 12, 22)
        text(frame, f'{i * 0.35:06.2f} m', 240, 276)  # a counter
    boxes, why = detect_overlays(lumas(frames))
    assert not why
    assert len(boxes) == 2
    assert inside((13, 12, 115, 10), boxes)
    assert inside((241, 266, 70, 10), boxes)  # the digits with it
    for _, y, _, h in boxes:
        assert y + h < 40 or y > 250
    x, y, w, h = largest_free_box(*SIZE, boxes)
    assert w == 360
    assert h > 210
    assert not any(
        a < x + w and x < a + c and b < y + h and y < b + d
        for a, b, c, d in boxes
    )


@pytest.mark.parametrize('motion', ['pan', 'drive'])
def test_a_scene_is_no_text(motion):
    frames = pan() if motion == 'pan' else drive(texture(4), 20, size=SIZE)
    assert detect_overlays(lumas(frames)) == ([], '')


def test_undetectable_overlays_are_reported():
    frames = pan()
    boxes, why = detect_overlays(lumas([frames[0]] * 20))
    assert not boxes
    assert 'hardly changes' in why
    boxes, why = detect_overlays(lumas(frames[:3]))
    assert not boxes
    assert why.endswith('not 3')


def free_boxes(width, height, boxes, step):
    """All rectangles on the grid that touch no box."""
    taken = np.zeros((height, width), int)
    for x, y, w, h in boxes:
        taken[max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)] = 1
    total = np.pad(taken, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    xs, ys = range(0, width + 1, step), range(0, height + 1, step)
    for a, c in itertools.combinations(xs, 2):
        for b, d in itertools.combinations(ys, 2):
            if total[d, c] - total[b, c] - total[d, a] + total[b, a] == 0:
                yield a, b, c - a, d - b


def score(box, aspect):
    _, _, w, h = box
    return min(w, h * aspect) * min(h, w / aspect) if aspect else w * h


@pytest.mark.parametrize('aspect', [None, 1.4])
@pytest.mark.parametrize('seed', range(6))
def test_largest_box_against_all_of_them(seed, aspect):
    rng = np.random.default_rng(seed)
    width, height, step = 50, 38, 4
    boxes = [
        (
            int(rng.integers(-4, 48)),
            int(rng.integers(-4, 36)),
            int(rng.integers(1, 14)),
            int(rng.integers(1, 6)),
        )
        for _ in range(5)
    ]
    found = largest_free_box(width, height, boxes, step, aspect)
    everything = set(free_boxes(width, height, boxes, step))
    assert found in everything
    assert all(value % step == 0 for value in found)
    best = max(score(box, aspect) for box in everything)
    assert score(found, aspect) == pytest.approx(best)


def test_largest_free_box_of_covered_frame_is_empty():
    assert largest_free_box(40, 40, [(0, 0, 40, 40)]) == (0, 0, 0, 0)
