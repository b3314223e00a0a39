from dataclasses import replace

import cv2
import numpy as np
import photo_makers
import pytest

from mmdsr.converters.photo_files import Gate
from mmdsr.converters.photo_pairs import (
    PairSpread,
    change_light,
    draw_homography,
    draw_occluder,
    hide,
    homography_flow,
    lies_within,
    project,
    render_view,
    sense,
)
from mmdsr.converters.photo_recipe import Recipe, make_pair
from mmdsr.io.images import downscale

STILL = PairSpread(
    gain=1.0,
    gamma=1.0,
    tint=1.0,
    glow=0.0,
    noise=(0.0, 0.0),
    blurred=0.0,
    quality=(100, 100),
    occluded=0.0,
)
"""Other views, but the same light and a perfect camera."""


def psnr(one, other):
    return -10 * np.log10(np.square((one - other) / 255.0).mean())


def warp_reduced(ref, flow):
    """Bring Ref to HR by the flow, at full size, and reduce it."""
    height, width = ref.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    grid = (x - 1.5) / 4, (y - 1.5) / 4
    move = cv2.remap(
        flow.astype(np.float32),
        *grid,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    at = x + 4 * move[..., 0], y + 4 * move[..., 1]
    return downscale(cv2.remap(ref, *at, cv2.INTER_CUBIC)).astype(float)


@pytest.mark.parametrize('halve_above', [1600, 500])
def test_warping_ref_by_the_flow_gives_lr(halve_above):
    recipe = Recipe((128, 96), halve_above=halve_above, spread=STILL)
    photo = photo_makers.picture(0, 640, 560)
    # Sharp at full size is not what is tested here.
    photo = cv2.GaussianBlur(photo, (0, 0), 1.0)
    factor = 2 if halve_above == 500 else 1
    small = cv2.resize(
        photo, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA
    )
    values, moved = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        gate = replace(recipe, gate=Gate(0, 0))
        pair = make_pair(
            (photo, small, factor), [(90, 80), (100, 90)], None, rng, gate
        )
        assert pair['lr'] is None
        flow, seen = pair['flow'], pair['visible']
        # The rim mixes in what lies beyond the edge of Ref.
        seen = cv2.erode(
            np.pad(seen[1:-1, 1:-1], 1).astype(np.uint8), np.ones((3, 3))
        ).astype(bool)
        assert seen.mean() > 0.25
        lr = downscale(pair['hr']).astype(float)
        good = warp_reduced(pair['ref'], flow)
        values.append(psnr(good[seen], lr[seen]))
        off = warp_reduced(pair['ref'], flow + np.array([0.125, 0]))
        assert psnr(off[seen], lr[seen]) < values[-1] - 1
        moved.append(np.abs(flow).max())
    assert min(values) > 36
    assert min(moved) < 1
    assert max(moved) > 5


def test_flow_of_known_homographies():
    # A shift by 6 pixels is 1.5 LR pixels, and leaves on the right.
    shift = np.array([[1, 0, 6], [0, 1, -2], [0, 0, 1.0]])
    flow, inside = homography_flow(shift, (32, 16), (32, 16))
    assert flow.shape == (4, 8, 2)
    np.testing.assert_allclose(flow, np.broadcast_to((1.5, -0.5), (4, 8, 2)))
    assert inside[:, :6].all()
    assert not inside[:, 7].any()
    # A zoom by 2 about HR's first corner: LR pixel 3 is at HR 13.5, which
    # goes to 27.5 and there is 6.5 in the reduced grid.
    zoom = np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1.0]])
    flow, inside = homography_flow(zoom, (32, 16), (32, 16))
    np.testing.assert_allclose(flow[1, 3], (3.5, 1.5))
    assert inside.sum() == 2 * 4


def test_homographies_stay_within_the_spread():
    rng, size = np.random.default_rng(0), (320, 240)
    spread = PairSpread(bend=0.0)
    middle = np.array([159.5, 119.5])
    zooms, turns, shifts = [], [], []
    for _ in range(400):
        matrix = draw_homography(rng, size, spread, 1.0)
        across = matrix[:2, 0] / matrix[2, 2]
        zooms.append(np.hypot(*across))
        turns.append(np.degrees(np.arctan2(across[1], across[0])))
        shifts.append((project(matrix, middle) - middle) / 240)
    assert 0.85 <= min(zooms) < 0.9
    assert 1.4 < max(zooms) <= 1.5
    assert -20 <= min(turns) < -18
    assert 18 < max(turns) <= 20
    assert 0.14 < np.abs(shifts).max() <= 0.15
    none = draw_homography(rng, size, PairSpread(), 0.0)
    np.testing.assert_allclose(none, np.eye(3), atol=1e-9)


def test_views():
    image = photo_makers.picture(0, 64, 48)
    np.testing.assert_array_equal(
        render_view(image, np.eye(3), (64, 48)), image
    )
    # Half the size is the mean of 2x2 pixels: nothing aliases.
    half = np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1.0]])
    mean = image.reshape(24, 2, 32, 2, 3).mean(axis=(1, 3))
    assert np.abs(render_view(image, half, (32, 24)) - mean).max() <= 0.51
    comb = np.zeros((48, 64, 3), np.uint8)
    comb[:, ::2] = 255
    assert np.ptp(render_view(comb, half, (32, 24))) == 0


def test_within():
    view = np.array([[1, 0, 10], [0, 1, 5], [0, 0, 1.0]])
    assert lies_within(view, (20, 10), (30, 15))
    assert not lies_within(view, (20, 10), (29, 15))
    assert not lies_within(np.linalg.inv(view), (20, 10), (90, 90))
    # Partly behind the camera.
    behind = np.array([[1, 0, 0], [0, 1, 0], [-0.1, 0, 1.0]])
    assert not lies_within(behind, (20, 10), (10**6, 10**6))


def test_light_and_sensor():
    image = photo_makers.picture(0, 96, 64)

    def lit(strength, seed=0, **ranges):
        rng = np.random.default_rng(seed)
        return change_light(image, rng, replace(STILL, **ranges), strength)

    assert np.abs(lit(1.0) - image).max() < 0.01
    assert np.abs(lit(0.0, gain=2.0, glow=0.5) - image).max() < 0.01
    dim = [lit(1.0, k, gain=2.0).mean() / image.mean() for k in range(30)]
    assert 0.49 < min(dim) < 0.7
    assert max(dim) > 1.2
    assert np.std(lit(1.0, glow=0.5) / np.maximum(image, 1)) > 0.05

    gray = np.full((64, 96, 3), 120, np.float32)
    noisy = sense(
        gray, np.random.default_rng(0), replace(STILL, noise=(3.0, 3.0))
    )
    # JPEG takes part of the noise of the colors.
    assert 1 < noisy.std() < 3.2
    assert (sense(gray, np.random.default_rng(0), STILL) == 120).all()
    plain = image.astype(np.float32)
    coarse = replace(STILL, quality=(20, 20))
    blurred = replace(STILL, blurred=1.0, blur=(1.0, 1.0))
    for spread in (coarse, blurred):
        seen = sense(plain, np.random.default_rng(0), spread)
        assert psnr(seen.astype(float), plain) < 35


def test_occluded_pixels_are_not_visible():
    rng, shares = np.random.default_rng(0), []
    for _ in range(20):
        hidden = draw_occluder(rng, (96, 64), PairSpread())
        assert hidden.shape == (64, 96)
        assert hidden.min() >= 0
        assert hidden.max() <= 1
        shares.append(hidden.mean())
    assert 0.02 < min(shares) < 0.1
    assert 0.15 < max(shares) < 0.27
    hidden = np.zeros((64, 96), np.float32)
    hidden[:, 48:] = 1
    flow = np.zeros((16, 24, 2))
    flow[..., 0] = 3
    seen = hide(np.ones((16, 24), bool), flow, hidden)
    assert seen[:, :9].all()
    assert not seen[:, 9:].any()


def test_occluders_come_from_the_donor():
    spread = replace(STILL, occluded=1.0)
    recipe = Recipe((96, 64), spread=spread, gate=Gate(0, 0))
    photo = photo_makers.picture(0)
    red = np.zeros_like(photo)
    red[..., 0] = 255

    def pair(recipe):
        return make_pair(
            (photo, photo, 1),
            [(40, 40)],
            lambda: (red, [(0, 0)]),
            np.random.default_rng(3),
            recipe,
        )

    with_it = pair(recipe)
    ref = with_it['ref'].astype(int)
    red_share = (ref[..., 0] - ref[..., 1:].max(-1) > 150).mean()
    assert 0.02 < red_share < 0.3
    clear = pair(replace(recipe, spread=STILL))
    np.testing.assert_array_equal(with_it['hr'], clear['hr'])
    np.testing.assert_array_equal(with_it['flow'], clear['flow'])
    lost = clear['visible'] & ~with_it['visible']
    assert lost.any()
    assert not (with_it['visible'] & ~clear['visible']).any()


def test_realistic_reduction():
    recipe = Recipe((96, 64), degradation='realistic', gate=Gate(0, 0))
    photo = photo_makers.picture(0)
    pair = make_pair(
        (photo, photo, 1),
        [(40, 40)],
        lambda: (photo, [(0, 0)]),
        np.random.default_rng(3),
        recipe,
    )
    assert pair['lr'].shape == (16, 24, 3)
    assert (pair['lr'] != downscale(pair['hr'])).any()


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({'size': (322, 320)}, 'multiples of 4'),
        ({'size': (60, 320)}, 'at least 64'),
        ({'seed': -1}, 'seed'),
        ({'degradation': 'none'}, "not 'none'"),
        ({'spread': PairSpread(occluded=1.5)}, 'occluded'),
    ],
)
def test_recipes_that_cannot_be(change, reason):
    with pytest.raises(ValueError, match=reason):
        Recipe(**change)
