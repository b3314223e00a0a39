from functools import cache

import cv2
import numpy as np
import pytest

from mmdsr.sim import PipeRun
from mmdsr.sim.scene.materials import MATERIALS, material_of
from mmdsr.sim.scene.scene import draw_scene

SIZE = (112, 80)


@cache
def clean(seed, run, size=SIZE, defects=()):
    return PipeRun(seed, run, size, noise=False, defects=defects)


def of_motion(motion, seed=6, count=4, size=(224, 160)):
    """The first runs with a kind of motion."""
    scenes = {n: draw_scene(seed, n) for n in range(60)}
    # Long steps leave too little to compare.
    numbers = [
        n
        for n, scene in scenes.items()
        if scene.motion == motion and scene.step < 1.2 * scene.radius
    ]
    return [clean(seed, n, size) for n in numbers[:count]]


def gray(image):
    return image.astype(np.float32).mean(-1)


def sharp(image):
    """Texture without the shading."""
    return image - cv2.GaussianBlur(image, (0, 0), 4)


def project(run, source, target):
    """Where the pixels of one frame lie in another, and their depth."""
    height, width = source.depth.shape
    col, row = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    rays = np.linalg.inv(source.intrinsics) @ np.stack(
        [col.ravel(), row.ravel(), np.ones(col.size)]
    )
    points = rays * source.depth.ravel()
    world = source.pose[:3, :3] @ points + source.pose[:3, 3:]
    inside = target.pose[:3, :3].T @ (world - target.pose[:3, 3:])
    pixel = target.intrinsics @ inside
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
    noisy = PipeRun(3, 1, SIZE, defects=()).frame(2)
    plain = clean(3, 1).frame(2)
    assert noisy.image.shape == (80, 112, 3)
    assert noisy.image.dtype == np.uint8
    assert noisy.depth.shape == (80, 112)
    assert noisy.depth.dtype == np.float32
    # The lens jitters a little, the camera stands where it stands.
    np.testing.assert_array_equal(noisy.pose, plain.pose)
    assert np.median(np.abs(noisy.depth / plain.depth - 1)) < 0.03
    change = np.abs(noisy.image.astype(int) - plain.image)
    assert 0 < change.mean() < 40


def test_the_view_does_not_depend_on_the_size():
    small = clean(3, 1).frame(2).image
    large = clean(3, 1, (224, 160)).frame(2).image
    reduced = cv2.resize(large, SIZE, interpolation=cv2.INTER_AREA)
    a, b = gray(small), gray(reduced)
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.97


@pytest.mark.slow
def test_a_crawler_drives_on_inside_the_pipe():
    for run in of_motion('crawler'):
        poses = np.stack([run.frame(k).pose for k in range(6)])
        advance = np.diff(poses[:, 2, 3])
        assert (advance > 0.005).all()
        assert (advance < 0.8).all()
        segments = run._world.pipe.segments
        for x, y, z in poses[:, :3, 3]:
            off = np.array([x, y]) - segments.center(z)
            assert np.hypot(*off) < 0.7 * run.scene.radius
            if run.scene.water is not None:
                assert y < run.scene.water


@pytest.mark.slow
def test_a_quick_view_camera_stands_and_zooms_in():
    for run in of_motion('zoom'):
        frames = [run.frame(k) for k in range(0, 8, 2)]
        focal = [frame.intrinsics[0, 0] for frame in frames]
        assert (np.diff(focal) > 0).all()
        assert focal[0] == pytest.approx(112 / np.tan(run.scene.hfov / 2))
        places = np.stack([frame.pose[:3, 3] for frame in frames])
        assert np.ptp(places, axis=0).max() < 0.02 * run.scene.radius
        # Far below the longest focal length there is.
        far = run.frame(500).intrinsics[0, 0]
        assert focal[0] * 0.99 < far < focal[0] * 6.01


def test_the_lens_jitters_with_noise_only():
    still = clean(6, 1)
    loud = PipeRun(6, 1, SIZE, defects=())
    assert loud.scene.jitter[0] > 0
    for k in range(3):
        point = still.frame(k).intrinsics[:2, 2]
        np.testing.assert_array_equal(point, (56, 40))
    points = [loud.frame(k).intrinsics[0, 2] for k in range(3)]
    assert len(set(points)) == 3


def test_all_sections_and_radii_occur():
    scenes = [draw_scene(0, run) for run in range(160)]
    assert {scene.section for scene in scenes} == {'circular', 'egg', 'box'}
    radii = [scene.radius for scene in scenes]
    assert min(radii) < 0.12
    assert 0.85 < max(radii) <= 1.0
    assert {scene.motion for scene in scenes} == {'crawler', 'zoom'}
    assert any(scene.bend.slope for scene in scenes)
    assert all(0 <= scene.filled < 0.3 for scene in scenes)


@pytest.mark.parametrize('number', range(8))
@pytest.mark.parametrize('motion', ['crawler', 'zoom'])
def test_adjacent_frames_show_the_same_wall(motion, number):
    runs = of_motion(motion, count=8)
    run, stranger = runs[number], runs[(number + 1) % 8]
    here, near = run.frame(3), run.frame(4)
    x, y, depth, seen = shared(run, here, near)
    assert seen.mean() > 0.12
    # The shared points have the depth that the other frame says, too;
    # edges of joints hide some.
    there = cv2.remap(1 / near.depth, x, y, cv2.INTER_LINEAR)
    off = np.abs(there[seen] * depth[seen] - 1)
    assert np.quantile(off, 0.9) < 0.005
    # And they look the same.
    source, target = sharp(gray(here.image)), sharp(gray(near.image))
    warped = cv2.remap(target, x, y, cv2.INTER_LINEAR)

    def likeness(image):
        return np.corrcoef(image[seen], source[seen])[0, 1]

    other = stranger.frame(4)
    foreign = cv2.remap(sharp(gray(other.image)), x, y, cv2.INTER_LINEAR)
    assert likeness(warped) > 0.55
    assert likeness(warped) > likeness(target) + 0.15
    assert likeness(warped) > abs(likeness(foreign)) + 0.3


@pytest.mark.parametrize('number', range(4))
def test_light_falls_off_with_the_distance(number):
    run = clean(6, number, (224, 160))
    frame = run.frame(0)
    light, depth = gray(frame.image), frame.depth / run.scene.radius
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
        ({'seed': -1, 'run': 0}, 'at least 0'),
        ({'seed': 0, 'run': -1}, 'at least 0'),
        ({'seed': 0, 'run': 0, 'size': (448, 8)}, '16x16'),
    ],
)
def test_bad_arguments(kwargs, word):
    with pytest.raises(ValueError, match=word):
        PipeRun(**kwargs)
    with pytest.raises(ValueError, match='at least 0'):
        clean(3, 1).frame(-1)
