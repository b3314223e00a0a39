"""The flow between two views of a world whose coordinates are known."""

import csv

import numpy as np
import pytest

from mmdsr.sim.data.correspondence import View, correspondence, read_views
from mmdsr.sim.trace.geometry import rotation

SIZE = (60, 84)  # of LR


def view(scale=4, focal=70.0, turn=(0.0, 0.0, 0.0), position=(0.0, 0.0, 0.0)):
    height, width = SIZE
    intrinsics = scale * np.array([focal, focal, width / 2 + 1, height / 2])
    return View(intrinsics, rotation(*turn), np.array(position))


def rays(camera, x, y):
    """Directions in the world, 1 along the optical axis, of LR places."""
    fx, fy, cx, cy = camera.intrinsics / 4
    local = np.stack(
        [(x + 0.5 - cx) / fx, (y + 0.5 - cy) / fy, np.ones_like(x)], -1
    )
    return local @ camera.rotation.T


def grid():
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(float)
    return x, y


def plane_depth(camera, x, y, normal=(0.3, -0.2, 1.0), offset=2.0):
    """Depth of the slanted plane normal . X = offset."""
    normal = np.array(normal)
    return (offset - normal @ camera.position) / (rays(camera, x, y) @ normal)


def tube_depth(camera, x, y, radius=0.5):
    """Depth of the inside of a cylinder along z."""
    d, p = rays(camera, x, y)[..., :2], camera.position[:2]
    a, b = (d * d).sum(-1), d @ p
    return (-b + np.sqrt(b * b - a * (p @ p - radius**2))) / a


VIEWS = {
    'step': (view(), view(position=(0.02, -0.01, 0.15), turn=(0.02, 0.01, 0))),
    'back': (view(position=(0, 0.03, 0.3)), view(turn=(0, 0, 0.2))),
    'zoom': (view(), view(focal=105.0)),
}


@pytest.mark.parametrize('name', VIEWS)
@pytest.mark.parametrize('world', [plane_depth, tube_depth])
def test_the_same_spot_of_the_world(name, world):
    first, second = VIEWS[name]
    x, y = grid()
    # At the vanishing point of a tube everything is far; cut as on disk.
    depths = [np.minimum(world(c, x, y), 60) for c in (first, second)]
    flow, visible = correspondence(*depths, first, second)
    assert flow.dtype == np.float32
    assert visible.dtype == bool
    u, v = x + flow[..., 0], y + flow[..., 1]
    near = visible & (depths[0] < 5)
    places = [
        camera.position + rays(camera, a, b) * world(camera, a, b)[..., None]
        for camera, (a, b) in ((first, (x, y)), (second, (u, v)))
    ]
    apart = np.linalg.norm(places[0] - places[1], axis=-1)
    assert apart[near].max() < 1e-4
    # What falls into the picture is seen: neither world hides anything.
    inside = (u >= 0) & (u <= SIZE[1] - 1) & (v >= 0) & (v <= SIZE[0] - 1)
    assert visible[inside & (depths[0] < 5)].mean() > 0.97
    outside = (u < -0.5) | (v < -0.5)
    outside |= (u > SIZE[1] - 0.5) | (v > SIZE[0] - 0.5)
    assert not visible[outside].any()
    assert near.mean() > 0.3
    assert np.abs(flow[near]).max() > 1


def test_a_rendered_checker_lies_on_itself():
    """Read between the pixels of the picture, not by the formula."""
    import cv2

    first, second = VIEWS['step']
    x, y = grid()
    depths = [plane_depth(c, x, y) for c in (first, second)]
    pictures = []
    for camera, depth in zip((first, second), depths, strict=True):
        place = camera.position + rays(camera, x, y) * depth[..., None]
        pictures.append(np.sin(5 * place[..., 0]) * np.sin(5 * place[..., 1]))
    flow, visible = correspondence(*depths, first, second)
    there = cv2.remap(
        pictures[1].astype(np.float32),
        (x + flow[..., 0]).astype(np.float32),
        (y + flow[..., 1]).astype(np.float32),
        cv2.INTER_LINEAR,
    )
    inner = visible[2:-2, 2:-2]
    error = np.abs(there - pictures[0])[2:-2, 2:-2][inner]
    moved = np.abs(pictures[1] - pictures[0])[2:-2, 2:-2][inner]
    assert np.quantile(error, 0.95) < 0.02
    assert moved.mean() > 0.1


def test_the_simulators_own_pictures():
    """No other place fits better: cameras are read as they are rendered."""
    import cv2

    from mmdsr.sim.pipe_run import PipeRun

    run = PipeRun(0, 1, (448, 320), noise=False, steps='spread')
    frames = [run.frame(0), run.frame(1)]
    depths, pictures, views = [], [], []
    for frame in frames:
        k = frame.intrinsics
        views.append(
            View(
                np.array([k[0, 0], k[1, 1], k[0, 2], k[1, 2]]),
                frame.pose[:3, :3],
                frame.pose[:3, 3],
            )
        )
        small = [
            cv2.resize(part, (112, 80), interpolation=cv2.INTER_AREA)
            for part in (frame.depth, frame.image)
        ]
        depths.append(small[0])
        gray = small[1].astype(np.float32).mean(2)
        pictures.append(gray)
    flow, visible = correspondence(*depths, *views)
    y, x = np.mgrid[:80, :112].astype(np.float32)

    def detail(picture):
        # The lamp moves with the camera.
        return picture - cv2.GaussianBlur(picture, (0, 0), 2)

    def error(dx, dy):
        there = cv2.remap(
            pictures[1],
            x + flow[..., 0] + dx,
            y + flow[..., 1] + dy,
            cv2.INTER_CUBIC,
        )
        return np.abs(detail(there) - detail(pictures[0]))[visible].mean()

    assert visible.mean() > 0.9
    aside = [
        error(*move) for move in ((0.3, 0), (-0.3, 0), (0, 0.3), (0, -0.3))
    ]
    assert error(0, 0) < 0.96 * min(aside)


def test_hidden_unknown_and_behind():
    x, _y = grid()
    first, second = view(), view(position=(0.2, 0, 0))
    far = np.full(SIZE, 2.0)
    # Something near stands before part of the wall in the second picture.
    hidden = far.copy()
    hidden[:, 20:40] = 1.0
    flow, visible = correspondence(far, hidden, first, second)
    u = (x + flow[..., 0])[0]
    np.testing.assert_allclose(flow[..., 0], -0.2 / 2 * 70, atol=1e-4)
    assert not visible[:, (u > 20) & (u < 39)].any()
    assert visible[:, (u > 41) & (u < 80)].all()
    unknown = far.copy()
    unknown[10:20], unknown[20:30] = np.nan, 0
    flow, visible = correspondence(unknown, far, first, second)
    assert not visible[10:30].any()
    assert not flow[10:30].any()
    assert visible[40, 20:60].all()
    assert np.isfinite(flow).all()
    _, visible = correspondence(far, unknown, first, second)
    assert not visible[11:29].any()
    passed = view(position=(0, 0, 3))
    flow, visible = correspondence(far, far, first, passed)
    assert not visible.any()
    assert not flow.any()


def test_read_views(tmp_path):
    from fake_run import FakeRun, make, tiny_plan

    root = tmp_path / 'sim'
    make(root, tiny_plan(frames=(0, 1)))
    views = read_views(root)
    plan = tiny_plan(frames=(0, 1))
    assert len(views) == 2 * plan.total
    assert {key[2] for key in views} == {'image', 'ref'}
    frame = FakeRun(5, 0, plan.size).frame(0)
    stems = [stem for split, stem in plan.samples() if split == 'train']
    found = views['train', stems[0], 'image']
    k = frame.intrinsics
    np.testing.assert_allclose(
        found.intrinsics, [k[0, 0], k[1, 1], k[0, 2], k[1, 2]]
    )
    np.testing.assert_allclose(found.rotation, frame.pose[:3, :3])
    np.testing.assert_allclose(found.position, frame.pose[:3, 3])
    assert read_views(tmp_path) == {}
    path = root / 'poses.csv'
    lines = path.read_text().splitlines()
    for damaged in (
        lines[1].replace('train', 'trian'),
        lines[1].rpartition(',')[0],
        lines[1] + 'x',
        'what',
    ):
        path.write_text('\n'.join([lines[0], damaged, *lines[2:]]))
        with pytest.raises(ValueError, match=r'poses.csv, line 2: .*again'):
            read_views(root)


def test_load_flow_of_a_simulated_set(tmp_path):
    """Step of 0.05 straight on, as FakeRun goes: known in closed form."""
    from fake_run import make, tiny_plan

    from mmdsr.datasets.refsr_dataset import RefSRDataset
    from mmdsr.transforms.load_flow import LoadFlow

    root = tmp_path / 'sim'
    make(root, tiny_plan(frames=(0, 1)))
    load = LoadFlow(missing='error')
    for reference in ('adjacent', 'self'):
        dataset = RefSRDataset(root, reference=reference)
        info = dataset.get_data_info(0)
        info['img'] = np.zeros((16, 16, 3))
        if reference == 'self':
            with pytest.raises(FileNotFoundError, match='No flow is known'):
                load(info)
            assert not LoadFlow()(info)['visible'].any()
            continue
        sample = load(info)
        views = read_views(root)
        step = np.subtract(
            *(
                views['train', info['stem'], image].position
                for image in ('ref', 'image')
            )
        )[2]
        from mmdsr.io.images import read_depth

        z = read_depth(info['depth_lr_path'])
        x = np.arange(16) + 0.5 - 8
        expected = x * (z / (z - step) - 1)
        np.testing.assert_allclose(sample['flow'][..., 0], expected, atol=1e-3)
        assert sample['visible'].shape == (16, 16, 1)
        info['img'] = np.zeros((20, 16, 3))
        with pytest.raises(ValueError, match='16x16, but the image is 16x20'):
            load(info)
    with pytest.raises(ValueError, match='missing'):
        LoadFlow(missing='no')


def test_load_flow_reads_the_cameras_of_a_rewritten_set(tmp_path):
    from fake_run import make, tiny_plan

    from mmdsr.datasets.refsr_dataset import RefSRDataset
    from mmdsr.transforms.load_flow import LoadFlow

    root = tmp_path / 'sim'
    make(root, tiny_plan(frames=(0, 1)))
    dataset = RefSRDataset(root)

    def flow():
        info = dataset.get_data_info(0)
        return LoadFlow()({**info, 'img': np.zeros((16, 16, 3))})['flow']

    before = flow()
    assert before.any()
    path = root / 'poses.csv'
    rows = list(csv.reader(path.read_text().splitlines()))
    first = {tuple(row[:2]): row for row in rows[1:] if row[2] == 'image'}
    # The camera of a reference stands where that of its image does.
    for row in rows[1:]:
        row[3:] = first[tuple(row[:2])][3:]
    path.write_text('\n'.join(map(','.join, rows)))
    assert not flow().any()
