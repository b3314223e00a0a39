from functools import cache

import cv2
import numpy as np
import pytest

from mmdsr.sim import PipeRun
from mmdsr.sim.scene import MATERIALS, material_of

SIZE = (112, 80)


@cache
def clean(seed, run, size=SIZE):
    return PipeRun(seed, run, size, noise=False)


def grey(image):
    return image.astype(np.float32).mean(-1)


def sharp(image):
    """Texture without the shading."""
    return image - cv2.GaussianBlur(image, (0, 0), 4)


def project(run, source, target):
    """Where the pixels of one frame lie in another, and their depth."""
    height, width = source.depth.shape
    col, row = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    rays = np.linalg.inv(run.intrinsics) @ np.stack(
        [col.ravel(), row.ravel(), np.ones(col.size)]
    )
    points = rays * source.depth.ravel()
    world = source.pose[:3, :3] @ points + source.pose[:3, 3:]
    inside = target.pose[:3, :3].T @ (world - target.pose[:3, 3:])
    pixel = run.intrinsics @ inside
    with np.errstate(divide='ignore', invalid='ignore'):
        at = pixel[:2] / pixel[2]
    shape = (height, width)
    return (
        at[0].reshape(shape).astype(np.float32) - 0.5,
        at[1].reshape(shape).astype(np.float32) - 0.5,
        inside[2].reshape(shape),
        world[1].reshape(shape),
    )


def shared(run, source, target):
    """Wall pixels of a frame that another one shows too."""
    x, y, depth, height = project(run, source, target)
    width, rows = run.size
    seen = (x > 1) & (x < width - 2) & (y > 1) & (y < rows - 2)
    # Textures are filtered away in the distance.
    seen &= (source.depth < 8 * run.scene.radius) & (depth > 0.05)
    if run.scene.water is not None:
        seen &= height < run.scene.water - 0.02 * run.scene.radius
    return x, y, depth, seen


def test_a_frame_depends_on_seed_run_and_frame_only():
    first = PipeRun(3, 1, SIZE)
    straight = [first.frame(k) for k in range(4)]
    second = PipeRun(3, 1, SIZE)
    for k in (3, 0, 2):
        again = second.frame(k)
        np.testing.assert_array_equal(again.image, straight[k].image)
        np.testing.assert_array_equal(again.depth, straight[k].depth)
        np.testing.assert_array_equal(again.pose, straight[k].pose)
    assert (straight[0].image != straight[1].image).mean() > 0.3


@pytest.mark.parametrize(('seed', 'run'), [(4, 1), (3, 2)])
def test_other_seeds_and_runs_differ(seed, run):
    here, other = PipeRun(3, 1, SIZE), PipeRun(seed, run, SIZE)
    assert here.scene.radius != other.scene.radius
    assert (here.frame(0).image != other.frame(0).image).mean() > 0.8


def test_frame_format_and_noise():
    noisy, plain = PipeRun(3, 1, SIZE).frame(2), clean(3, 1).frame(2)
    assert noisy.image.shape == (80, 112, 3)
    assert noisy.image.dtype == np.uint8
    assert noisy.depth.shape == (80, 112)
    assert noisy.depth.dtype == np.float32
    np.testing.assert_array_equal(noisy.depth, plain.depth)
    change = np.abs(noisy.image.astype(int) - plain.image)
    assert 0 < change.mean() < 30


def test_the_view_does_not_depend_on_the_size():
    small = clean(3, 1).frame(2).image
    large = clean(3, 1, (224, 160)).frame(2).image
    reduced = cv2.resize(large, SIZE, interpolation=cv2.INTER_AREA)
    a, b = grey(small), grey(reduced)
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.97


def test_the_camera_moves_forward_inside_the_pipe():
    for number in range(4):
        run = clean(3, number)
        poses = np.stack([run.frame(k).pose for k in range(6)])
        advance = np.diff(poses[:, 2, 3])
        assert (advance > 0.01).all()
        assert (advance < 0.5).all()
        off = np.hypot(poses[:, 0, 3], poses[:, 1, 3])
        assert (off < 0.6 * run.scene.radius).all()
        if run.scene.water is not None:
            assert (poses[:, 1, 3] < run.scene.water).all()


@pytest.mark.parametrize('number', range(8))
def test_adjacent_frames_show_the_same_wall(number):
    run = clean(6, number, (224, 160))
    here, near = run.frame(3), run.frame(4)
    x, y, depth, seen = shared(run, here, near)
    assert seen.mean() > 0.15
    # The shared points have the depth that the other frame says, too.
    there = cv2.remap(1 / near.depth, x, y, cv2.INTER_LINEAR)
    off = np.abs(there[seen] * depth[seen] - 1)
    assert np.quantile(off, 0.95) < 0.005
    # And they look the same.
    source, target = sharp(grey(here.image)), sharp(grey(near.image))
    warped = cv2.remap(target, x, y, cv2.INTER_LINEAR)

    def likeness(image):
        return np.corrcoef(image[seen], source[seen])[0, 1]

    other = clean(6, (number + 1) % 8, (224, 160)).frame(4)
    foreign = cv2.remap(sharp(grey(other.image)), x, y, cv2.INTER_LINEAR)
    assert likeness(warped) > 0.6
    assert likeness(warped) > likeness(target) + 0.25
    assert likeness(warped) > abs(likeness(foreign)) + 0.4


@pytest.mark.parametrize('number', range(4))
def test_light_falls_off_with_the_distance(number):
    run = clean(6, number, (224, 160))
    frame = run.frame(0)
    light, depth = grey(frame.image), frame.depth / run.scene.radius
    bands = [(2, 4), (6, 10), (15, 25), (40, np.inf)]
    means = [
        light[(depth >= low) & (depth < high)].mean() for low, high in bands
    ]
    assert means[0] > means[1] > means[2]
    # The far end is dark.
    assert means[-1] < 0.5 * means[0]


def test_every_eight_runs_meet_all_materials():
    for seed in (0, 1):
        for block in (0, 3):
            names = {material_of(seed, 8 * block + i).name for i in range(8)}
            assert names == set(MATERIALS)


def test_the_number_of_opencv_threads_is_left_alone():
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        clean(3, 1).frame(0)
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)


@pytest.mark.parametrize(
    ('kwargs', 'word'),
    [
        ({'seed': -1, 'run': 0}, 'negative'),
        ({'seed': 0, 'run': -1}, 'negative'),
        ({'seed': 0, 'run': 0, 'size': (448, 8)}, '16x16'),
    ],
)
def test_bad_arguments(kwargs, word):
    with pytest.raises(ValueError, match=word):
        PipeRun(**kwargs)
    with pytest.raises(ValueError, match='negative'):
        clean(3, 1).frame(-1)
