import numpy as np
import pytest
from pipe_pictures import FOCAL, SIZE, pipe_picture

from mmdsr.depth.evaluate import (
    Case,
    dataset_cases,
    evaluate,
    farthest_point,
    simulated_cases,
)
from mmdsr.io.layout import RefSRWriter

HFOV = float(np.rad2deg(2 * np.arctan(SIZE[0] / 2 / FOCAL)))


def cases(radius=0.5):
    for i, point in enumerate(((160, 120), (130, 110), (180, 130))):
        image, depth = pipe_picture(point)
        group = 'one' if i else 'other'
        yield Case((group,), image, radius * depth, camera=(radius, HFOV))
    yield Case(('black',), np.zeros((240, 320, 3), np.uint8), depth)


def test_means_fallbacks_and_alignment():
    *good, black = cases()
    table = evaluate([*good, black], 'pipe', {'hfov': HFOV}, 'median')
    assert {g: table[g]['frames'] for g in table} == {
        'all': 4,
        'one': 2,
        'other': 1,
        'black': 1,
    }
    assert table['black']['fallback'] == 1
    assert table['all']['fallback'] == 0.25
    assert 'vanishing_point' not in table['black']
    assert table['one']['vanishing_point'] < 2
    for name in ('abs_rel', 'delta_1.25', 'scale_invariant'):
        mean = (
            2 * table['one'][name]
            + table['other'][name]
            + table['black'][name]
        ) / 4
        assert table['all'][name] == pytest.approx(mean)
    # The assumed radius is 0.2, the true one 0.5.
    raw = evaluate(good, 'pipe', {'hfov': HFOV})['all']['abs_rel']
    own = evaluate(good, 'pipe', use_camera=True)['all']['abs_rel']
    assert raw > 0.5
    assert own < 0.1
    assert table['one']['abs_rel'] < 0.1


def test_the_true_map_may_be_smaller(tmp_path):
    rng = np.random.default_rng(0)
    with RefSRWriter(tmp_path / 'set') as writer:
        for i in range(4):
            depth = rng.uniform(1, 5, (64, 72))
            image = rng.integers(0, 256, (64, 72, 3), dtype=np.uint8)
            writer.add('test', f'a_{i}', image, image, depth, depth)
            folder = tmp_path / 'maps/test/hr'
            folder.mkdir(parents=True, exist_ok=True)
            if i:
                np.save(folder / f'a_{i}.npy', 1.1 * depth)
    options = {'folder': tmp_path / 'maps', 'frames': tmp_path / 'set'}
    table = evaluate(dataset_cases(tmp_path / 'set'), 'file', options)
    assert table['all']['failed'] == 1
    assert table['run a']['abs_rel'] == pytest.approx(0.1, abs=1e-3)
    few = list(dataset_cases(tmp_path / 'set', max_samples=2))
    assert [case.path.stem for case in few] == ['a_0', 'a_2']
    with pytest.raises(FileNotFoundError, match='no image in hr'):
        list(dataset_cases(tmp_path / 'set', 'train'))


@pytest.mark.slow
def test_simulated_frames_have_exact_depth_and_camera():
    (case,) = simulated_cases(0, [0], [2], (96, 64))
    assert case.image.shape == (64, 96, 3)
    assert case.depth.shape == (64, 96)
    assert np.isfinite(case.depth).all()
    radius, hfov = case.camera
    assert 0.05 < radius < 2
    assert 5 < hfov < 120


def test_the_farthest_point_is_the_vanishing_point():
    _, depth = pipe_picture((200, 90))
    x, y = farthest_point(depth)
    assert (320 * x, 320 * y) == pytest.approx((200, 90), abs=1.5)


def test_only_the_pipe_prior_takes_a_camera(tmp_path):
    with pytest.raises(ValueError, match='Only'):
        evaluate([], 'file', {'folder': tmp_path}, use_camera=True)
    image, depth = pipe_picture((160, 120))
    with pytest.raises(ValueError, match='is unknown'):
        evaluate([Case((), image, depth)], 'pipe', use_camera=True)
