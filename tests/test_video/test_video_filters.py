import numpy as np
import pytest
from video_makers import blurred

from mmdsr.dev.views import texture, view
from mmdsr.video.filters import (
    BLURRED,
    DARK,
    DUPLICATE,
    judge,
    measure,
    plan_framing,
)


def candidates(images):
    return [measure(i, i / 5, image) for i, image in enumerate(images)]


def pan(count, surface=None, step=12):
    surface = texture(5) if surface is None else surface
    start = -step * count / 2
    return [view(surface, x=start + step * i) for i in range(count)]


def reasons(images, **kwargs):
    judged = list(judge(candidates(images), **kwargs))
    assert sorted(c.index for c, _ in judged) == list(range(len(images)))
    return {c.index: reason for c, reason in judged if reason}


def test_a_good_run_is_kept():
    assert reasons(pan(40)) == {}


def test_blurred_frames():
    images = pan(30)
    for i in (0, 7, 8, 29):  # at the ends, too
        images[i] = blurred(images[i])
    assert reasons(images) == dict.fromkeys((0, 7, 8, 29), BLURRED)
    assert reasons(images, blur=0) == {}


def test_sharpness_is_relative_to_the_surroundings():
    # Soft throughout is how the camera is; only what is softer is dropped.
    images = [blurred(image, 1.5) for image in pan(30)]
    assert reasons(images) == {}
    images[12] = blurred(images[12], 6)
    assert reasons(images) == {12: BLURRED}


def test_dark_and_empty_frames():
    images = pan(12)
    images[3] = np.zeros_like(images[3])
    images[4] = images[4] // 10
    images[5] = np.full_like(images[5], (0, 0, 200))  # no signal
    images[6] = np.full_like(images[6], 255)
    assert reasons(images) == dict.fromkeys((3, 4, 5, 6), DARK)
    assert 4 not in reasons(images, dark=2)


def test_repeated_frames():
    rng = np.random.default_rng(0)
    images = []
    for image in pan(5):
        for _ in range(4):  # the camera stands still, the sensor has noise
            noise = rng.normal(0, 4, image.shape)
            images.append((image + noise).clip(0, 255).astype(np.uint8))
    kept = set(range(20)) - set(reasons(images))
    assert kept == {0, 4, 8, 12, 16}
    assert set(reasons(images).values()) == {DUPLICATE}
    assert reasons(images, duplicate=0) == {}


def test_slow_motion_adds_up():
    # Each differs little from the one before, but not from the kept one.
    surface = texture(5)
    images = [view(surface, x=i / 12) for i in range(60)]
    gaps = np.diff(sorted(set(range(60)) - set(reasons(images))))
    assert gaps.min() >= 2
    assert gaps.max() <= 20
    assert len(gaps) >= 3


def other_scene():
    return (255 - texture(6)) // 2 * np.uint8([0, 1, 2])


def test_scene_cuts():
    cuts = []
    images = pan(10) + pan(10, other_scene())
    judged = list(judge(candidates(images), cuts=cuts))
    assert cuts == [2.0]
    assert [c.shot for c, _ in judged] == [0] * 10 + [1] * 10
    cuts.clear()
    list(judge(candidates(pan(12, step=50)), cuts=cuts))  # a fast pan
    assert not cuts


def test_scenes_are_judged_by_themselves():
    soft = [blurred(image, 5) for image in pan(10, other_scene())]
    assert reasons(pan(20) + soft) == {}


def test_frames_stream():
    taken = []

    def source():
        for candidate in candidates(pan(60)):
            taken.append(candidate.index)
            yield candidate

    for candidate, _ in judge(source()):
        assert len(taken) - candidate.index <= 14


def test_framing_keeps_the_size():
    framing = plan_framing(195, 163, 4)
    assert framing.box == (0, 0, 192, 160)
    picture = np.random.default_rng(0).integers(
        0, 256, (163, 195, 3), dtype=np.uint8
    )
    np.testing.assert_array_equal(framing.apply(picture), picture[:160, :192])


def test_framing_cuts_the_middle_and_reduces_it():
    framing = plan_framing(720, 540, 4, size=(448, 320))
    assert framing.box == (0, 13, 720, 514)
    assert framing.size == (448, 320)
    # A one-pixel checkerboard becomes gray: the filter is antialiased.
    board = (np.indices((540, 720)).sum(0) % 2 * 255).astype(np.uint8)
    small = framing.apply(np.repeat(board[..., None], 3, 2))
    assert small.shape == (320, 448, 3)
    assert np.abs(small.astype(int) - 127).max() < 40


def test_framing_of_a_crop_and_of_boxes():
    assert plan_framing(200, 200, 4, crop=(3, 5, 101, 90)).box == (
        3,
        5,
        100,
        88,
    )
    boxes = [(0, 0, 200, 21), (150, 180, 50, 20)]
    assert plan_framing(200, 200, 4, boxes).box == (0, 24, 200, 156)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'crop': (100, 0, 101, 100)}, 'extends beyond the picture'),
        ({'crop': (0, 0, 63, 100)}, 'too small'),
        ({'size': (256, 256)}, 'requested size 256x256'),
        ({'boxes': [(40, 40, 120, 120)]}, 'too small'),
        ({'boxes': [(0, 0, 200, 200)]}, 'too small'),
    ],
)
def test_framing_refuses(kwargs, message):
    with pytest.raises(ValueError, match=message):
        plan_framing(200, 200, 4, **kwargs)
