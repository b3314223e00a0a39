from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest

from mmdsr.sim import PipeRun
from mmdsr.sim.scene.defects import (
    AT_JOINTS,
    KINDS,
    draw_kinds,
    draw_places,
    shift_joints,
)
from mmdsr.sim.shade.wall import RING_LENGTH

SIZE = (224, 160)


@cache
def run_of(kind, number=0):
    kinds = () if kind is None else (kind,)
    return PipeRun(7, number, SIZE, noise=False, defects=kinds)


def visible(kind, tries=12, least=150):
    """A run and a frame in which the kind is well seen."""
    for number in range(tries):
        run = run_of(kind, number)
        for k in (0, 4):
            frame = run.frame(k)
            if (frame.defect == 1).sum() > least:
                return run, k, frame
    raise AssertionError(f'{kind} is nowhere to be seen')


@pytest.mark.parametrize('kind', KINDS)
def test_each_kind_is_visible_within_its_mask(kind):
    run, k, frame = visible(kind, least=40)
    assert set(np.unique(frame.defect)) == {0, 1}
    plain = PipeRun(7, run.run, SIZE, noise=False, defects=()).frame(k)
    if kind in AT_JOINTS or kind in ('DE', 'AF', 'FO'):
        # The pipe itself is laid out for them, so it differs elsewhere, too.
        assert (frame.image != plain.image).any()
        return
    change = np.abs(frame.image.astype(int) - plain.image).max(-1)
    mask = frame.defect == 1
    assert np.median(change[mask]) > 3
    assert np.median(change[mask]) > 3 * np.mean(change[~mask])


@pytest.mark.parametrize('kind', ['BE', 'IL', 'GR', 'FO', 'AF'])
def test_bodies_are_in_the_depth(kind):
    run, _k, frame = visible(kind)
    mask = frame.defect == 1
    defect = run.defects[0]
    world = frame.pose[:3, :3] @ (
        np.linalg.inv(frame.intrinsics)
        @ np.stack(
            [
                np.nonzero(mask)[1] + 0.5,
                np.nonzero(mask)[0] + 0.5,
                np.ones(mask.sum()),
            ]
        )
        * frame.depth[mask]
    )
    z = world[2] + frame.pose[2, 3]
    reach = defect.length + 3 * run.scene.radius
    assert (np.abs(z - defect.z) < reach).mean() > 0.97


@pytest.mark.parametrize('kind', ['OB', 'BE', 'RB'])
def test_a_defect_stays_at_its_place_of_the_wall(kind):
    """Masked pixels of one frame are masked in the next, where both see."""
    for number in range(14):
        run = run_of(kind, number)
        here, there = run.frame(1), run.frame(2)
        if (here.defect == 1).sum() < 90:
            continue
        height, width = here.depth.shape
        row, col = np.nonzero(here.defect == 1)
        ray = np.linalg.inv(here.intrinsics) @ np.stack(
            [col + 0.5, row + 0.5, np.ones(len(row))]
        )
        world = here.pose[:3, :3] @ (ray * here.depth[row, col])
        world += here.pose[:3, 3:]
        inside = there.pose[:3, :3].T @ (world - there.pose[:3, 3:])
        pixel = there.intrinsics @ inside
        col, row = (pixel[:2] / pixel[2]).astype(int)
        seen = (col > 1) & (col < width - 2) & (row > 1) & (row < height - 2)
        if seen.sum() < 80:
            continue
        grown = there.defect == 1
        for axis in (0, 1):
            for step in (-1, 1):
                grown = grown | np.roll(grown, step, axis)
        assert grown[row[seen], col[seen]].mean() > 0.85
        return
    raise AssertionError(f'{kind} is never seen twice')


def test_a_displaced_joint_moves_everything_after_it():
    run, _, _frame = visible('FS')
    segments = run._world.pipe.segments
    z = run.defects[0].z
    assert np.abs(segments.joints - z).min() < 1e-9
    before, after = segments.center(z - 1e-3), segments.center(z + 1e-3)
    step = np.linalg.norm(after - before) / run.scene.radius
    severity = run.defects[0].severity
    assert step == pytest.approx(0.05 + 0.17 * severity, abs=0.03)


def test_graver_defects_are_larger(monkeypatch):
    # How the wall looks takes far longer than where it is.
    lit = SimpleNamespace(light=np.ones((80, 112)))
    monkeypatch.setattr('mmdsr.sim.pipe_run.Wall', lambda *_: None)
    monkeypatch.setattr(PipeRun, '_light', lambda *_: (lit, None))
    grave, slight = [], []
    for number in range(16):
        run = PipeRun(7, number, SIZE, defects=('FS',))
        z = run.defects[0].z
        segments = run._world.pipe.segments
        step = segments.center(z + 1e-3) - segments.center(z - 1e-3)
        pair = np.linalg.norm(step) / run.scene.radius
        (grave if run.defects[0].severity > 0.55 else slight).append(pair)
    assert np.mean(grave) > 1.3 * np.mean(slight)


def test_kinds_are_drawn_for_some_runs_only():
    drawn = [draw_kinds(0, run) for run in range(200)]
    counts = [len(kinds) for kinds in drawn]
    assert 0.15 < np.mean([not c for c in counts]) < 0.35
    assert max(counts) == 5
    assert {kind for kinds in drawn for kind in kinds} == set(KINDS)
    assert all(len(set(kinds)) == len(kinds) for kinds in drawn)


def test_places_are_ahead_and_apart():
    places = np.sort(draw_places(0, 1, 3, 0.5, 3.0))
    assert places.min() >= 0.5
    assert places.max() <= 3.5
    assert np.diff(places).min() > 0.1
    all_of = np.concatenate(
        [draw_places(0, run, 2, 0.5, 3.0) for run in range(100)]
    )
    assert np.median(all_of) < 2.0  # near ones are more common


def test_a_joint_is_laid_where_a_joint_defect_is_wanted():
    ring = np.array([0.7, 2.9, 5.0])
    moved = shift_joints(('RB', 'RO'), np.array([1.0, 1.5]), ring, RING_LENGTH)
    assert np.abs(moved - 1.5).min() < 1e-9
    assert (np.diff(moved) > 0).all()
    same = shift_joints(('RB',), np.array([1.0]), ring, RING_LENGTH)
    np.testing.assert_array_equal(same, ring)


def test_no_defects_and_unknown_ones():
    frame = run_of(None).frame(0)
    assert not frame.defect.any()
    assert run_of(None).defects == ()
    with pytest.raises(ValueError, match=r'XX.*RB'):
        PipeRun(0, 0, SIZE, defects=('RB', 'XX'))
