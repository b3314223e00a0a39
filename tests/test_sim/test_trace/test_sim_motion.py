"""Steps between frames: even, or a spread."""

from types import SimpleNamespace

import numpy as np
import pytest

from mmdsr.sim.pipe_run import PipeRun
from mmdsr.sim.trace.motion import (
    SPREAD_RADII,
    SPREAD_ZOOM,
    VIDEO_RADII,
    VIDEO_ZOOM,
    frame_times,
)


def scene(motion='forward', radius=0.2, step=0.1):
    return SimpleNamespace(motion=motion, radius=radius, step=step)


def times(steps, count=200, seed=0, **kwargs):
    rng = np.random.default_rng(seed)
    return frame_times(scene(**kwargs), steps, count, rng)


def test_even_are_the_numbers_of_the_frames():
    np.testing.assert_array_equal(times('even', 9), np.arange(9))


@pytest.mark.parametrize(
    ('motion', 'unit', 'bounds'),
    [('forward', 0.1 / 0.2, SPREAD_RADII), ('zoom', 1.0, SPREAD_ZOOM)],
)
def test_gaps_of_a_spread(motion, unit, bounds):
    found = times('spread', 2000, motion=motion)
    gaps = np.diff(found) * unit
    low, high = bounds
    assert found[0] == 0
    assert gaps.min() >= 0.999 * low
    assert gaps.max() <= 1.001 * high
    # Log-uniform: as many in each part of the range.
    parts = np.histogram(np.log(gaps), 4, (np.log(low), np.log(high)))[0]
    assert parts.min() > 400
    assert parts.max() < 600


@pytest.mark.parametrize(
    ('motion', 'unit', 'gap'),
    [('forward', 0.1 / 0.2, VIDEO_RADII), ('zoom', 1.0, VIDEO_ZOOM)],
)
def test_frames_of_a_recording(motion, unit, gap):
    found = times('video', 500, motion=motion)
    assert found[0] == 0
    np.testing.assert_allclose(np.diff(found) * unit, gap)


def test_a_recording_is_steadier_than_stills():
    def roughness(steps):
        run = PipeRun(0, 1, (112, 80), steps=steps)
        light = [run.frame(i).image.mean() for i in range(6)]
        return np.abs(np.diff(light)).mean() / np.mean(light)

    assert roughness('video') < 0.3 * roughness('even')


def test_more_frames_begin_alike():
    np.testing.assert_array_equal(
        times('spread', 64), times('spread', 130)[:64]
    )
    assert not np.array_equal(times('spread', 9), times('spread', 9, seed=1))
    with pytest.raises(ValueError, match='steps must be'):
        times('odd')


def test_a_run():
    run = PipeRun(0, 0, (32, 24), noise=False, steps='spread')
    late = run.frame(70)
    # It does not matter what was asked for before.
    other = PipeRun(0, 0, (32, 24), noise=False, steps='spread')
    other.frame(3)
    np.testing.assert_array_equal(other.frame(70).image, late.image)
    even = PipeRun(0, 0, (32, 24), noise=False)
    assert not np.array_equal(even.frame(70).pose, late.pose)
    with pytest.raises(ValueError, match='steps must be'):
        PipeRun(0, 0, (32, 24), steps='odd')
