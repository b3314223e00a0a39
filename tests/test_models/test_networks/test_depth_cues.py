"""Depth and flow against worlds and a simulator that know the truth."""

import numpy as np
import pytest
import torch

from mmdsr.models.networks.depth_cues import (
    depth_consistency,
    depth_evidence,
    depth_ratio,
    magnification,
    rigid_depth_ratio,
)
from mmdsr.models.networks.flow import warp
from mmdsr.sim.data.correspondence import View, correspondence
from mmdsr.sim.trace.geometry import rotation

SIZE = (60, 84)
NEAR = 0.25


def view(focal=70.0, turn=(0.0, 0.0, 0.0), position=(0.0, 0.0, 0.0)):
    height, width = SIZE
    intrinsics = 4 * np.array([focal, focal, width / 2 + 1, height / 2])
    return View(intrinsics, rotation(*turn), np.array(position))


def tube_depth(camera, radius=0.5, end=6.0):
    """Depth of the inside of a tube along z, closed at its end."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(float)
    fx, fy, cx, cy = camera.intrinsics / 4
    local = np.stack(
        [(x + 0.5 - cx) / fx, (y + 0.5 - cy) / fy, np.ones_like(x)], -1
    )
    ray = local @ camera.rotation.T
    d, p = ray[..., :2], camera.position[:2]
    a, b = (d * d).sum(-1), d @ p
    wall = (-b + np.sqrt(b * b - a * (p @ p - radius**2))) / a
    return np.minimum(wall, (end - camera.position[2]) / ray[..., 2])


VIEWS = {
    'step': (view(), view(position=(0.02, -0.01, 0.3), turn=(0.05, 0.02, 0))),
    'back': (view(position=(0, 0.03, 0.3)), view(turn=(0, 0.03, 0.4))),
    'zoom': (view(), view(focal=105.0)),
}


def tensors(depths, flow, visible):
    return (
        *(torch.from_numpy(NEAR / d)[None, None].float() for d in depths),
        torch.from_numpy(flow.transpose(2, 0, 1))[None],
        torch.from_numpy(visible)[None, None],
    )


def tube(name):
    views = VIEWS[name]
    depths = [tube_depth(camera) for camera in views]
    return tensors(depths, *correspondence(*depths, *views)), views


def seen_from(depth, view, other):
    """Z of LR's spots in the other camera, point by point."""
    height, width = depth.shape[-2:]
    fx, fy, cx, cy = view.intrinsics
    result = np.zeros((height, width))
    for y, x in np.ndindex(height, width):
        z = NEAR / depth[0, 0, y, x].item()
        ray = [(4 * (x + 0.5) - cx) / fx, (4 * (y + 0.5) - cy) / fy, 1]
        world = view.rotation @ (z * np.array(ray)) + view.position
        result[y, x] = (other.rotation.T @ (world - other.position))[2]
    return result


@pytest.mark.parametrize('name', VIEWS)
def test_magnification_is_the_ratio_of_the_true_depths(name):
    (depth, depth_ref, flow, visible), views = tube(name)
    z = NEAR / depth[0, 0].numpy()
    expected = z / seen_from(depth, *views)
    found = magnification(flow, depth, depth_ref)[0, 0].numpy()
    seen = visible[0, 0].numpy()
    assert seen.mean() > 0.3
    error = np.abs(found / expected - 1)[seen]
    assert np.quantile(error, 0.95) < 0.01
    # Nearer in the reference, larger; and back the other way.
    if name != 'zoom':
        ahead = name == 'step'
        assert (np.median(found[seen]) > 1.02) == ahead
        assert (np.median(found[seen]) < 0.98) != ahead


@pytest.mark.parametrize('name', VIEWS)
def test_one_motion_makes_the_ratio_linear(name):
    (depth, _, _, _), views = tube(name)
    true = seen_from(depth, *views) * depth.numpy() / NEAR
    ratio = torch.from_numpy(true).float()
    fit = rigid_depth_ratio(ratio, torch.ones_like(ratio), depth)
    torch.testing.assert_close(fit, ratio, atol=1e-4, rtol=1e-4)
    # Two fifths of it wrong change little.
    torch.manual_seed(0)
    wrong = torch.rand_like(ratio) < 0.4
    spoilt = torch.where(
        wrong, ratio * (2 * torch.rand_like(ratio) + 0.2), ratio
    )
    fit = rigid_depth_ratio(spoilt, torch.ones_like(ratio), depth)
    assert ((fit / ratio - 1).abs() < 0.02).all()
    # What has no weight may be anything.
    weight = (~wrong).float()
    spoilt = torch.where(wrong, 50.0, ratio)
    holes = torch.where(wrong, torch.nan, depth)
    fit = rigid_depth_ratio(spoilt, weight, holes)
    torch.testing.assert_close(
        fit[~wrong], ratio[~wrong], atol=1e-3, rtol=1e-3
    )


@pytest.mark.parametrize('scale', [1.0, 3.0])
@pytest.mark.parametrize('name', VIEWS)
def test_consistency_finds_visible_pixels(name, scale):
    (depth, depth_ref, flow, visible), _ = tube(name)
    # Depth of another scale, as a relative one, is as good.
    shown, known = depth_consistency(
        flow, depth / scale, depth_ref / scale / 1.2
    )
    agree = (shown > 0) == visible
    assert agree[known > 0].float().mean() > 0.97
    assert not shown[known == 0].any()
    assert visible[known > 0].float().mean() > 0.9


def test_consistency_detects_false_flows():
    (depth, depth_ref, flow, visible), _ = tube('step')
    torch.manual_seed(0)
    wrong = torch.rand_like(depth) < 0.3
    found = torch.where(wrong, 15 * torch.randn_like(flow), flow)
    shown, known = depth_consistency(found, depth, depth_ref)
    right = (found - flow).norm(dim=1, keepdim=True) < 1
    right &= visible
    seen = known > 0
    assert shown[right & seen].mean() > 0.97
    # A false place in the same depth passes; a tube has a ring of them.
    assert shown[~right & seen].mean() < 0.3


def test_evidence_lays_the_cues_side_by_side():
    (depth, depth_ref, flow, _), _ = tube('step')
    depth[..., :9], depth_ref[..., :5, :] = torch.nan, torch.nan
    planes = depth_evidence(flow, depth, depth_ref)
    assert planes.shape == (1, 3, *SIZE)
    assert planes.isfinite().all()
    zeroed = depth.nan_to_num(), depth_ref.nan_to_num()
    shown, known = depth_consistency(flow, *zeroed)
    assert torch.equal(planes[:, :1], shown)
    assert torch.equal(planes[:, 1:2], known)
    assert not planes[..., :9].any()
    expected = np.log2(magnification(flow, *zeroed).numpy()).clip(-2, 2)
    np.testing.assert_allclose(planes[:, 2:], expected, atol=1e-5)
    # The camera went forward: what is known is larger in the reference.
    assert planes[:, 2:][known > 0].median() > 0.05


def test_the_fit_of_an_image_does_not_depend_on_its_batch():
    rng = torch.Generator().manual_seed(0)
    ratio, weight, depth = torch.rand(3, 2, 1, 12, 17, generator=rng) + 0.1
    both = rigid_depth_ratio(ratio, weight, depth)
    turned = rigid_depth_ratio(ratio.flip(0), weight.flip(0), depth.flip(0))
    torch.testing.assert_close(turned.flip(0), both)


def test_unknown_depth():
    (depth, depth_ref, flow, _), _ = tube('step')
    for hole in (float('nan'), 0.0, 1.0):
        holed = depth.clone()
        holed[..., :20, :] = hole
        ratio, known = depth_ratio(flow, holed, depth_ref)
        assert (ratio[..., :20, :] == 1).all()
        assert ratio.isfinite().all()
        assert not known[..., :20, :].any()
        assert known.any()
        shown, _ = depth_consistency(flow, holed, depth_ref)
        assert not shown[..., :20, :].any()
        assert shown.any()
    nothing = torch.full_like(depth, float('nan'))
    shown, known = depth_consistency(flow, nothing, depth_ref)
    assert not shown.any()
    assert not known.any()


@pytest.mark.slow
def test_the_simulators_truth():
    """Rendered depth, exact flow: what hides is found, roughly."""
    import cv2

    from mmdsr.sim.pipe_run import PipeRun

    run = PipeRun(0, 1, (224, 160), noise=False, steps='spread')
    frames = [run.frame(0), run.frame(1)]
    depths, views = [], []
    for frame in frames:
        k = frame.intrinsics
        views.append(
            View(
                np.array([k[0, 0], k[1, 1], k[0, 2], k[1, 2]]),
                frame.pose[:3, :3],
                frame.pose[:3, 3],
            )
        )
        depths.append(
            cv2.resize(frame.depth, (56, 40), interpolation=cv2.INTER_AREA)
        )
    depth, depth_ref, flow, visible = tensors(
        depths, *correspondence(*depths, *views)
    )
    shown, known = depth_consistency(flow, depth, depth_ref)
    seen = known > 0
    assert seen.float().mean() > 0.3
    assert ((shown > 0) == visible)[seen].float().mean() > 0.9
    # The warp brings the reference's depth, times the factor, to LR's.
    factor = magnification(flow, depth, depth_ref)
    torch.testing.assert_close(
        (warp(depth_ref, flow) / factor)[seen], depth[seen]
    )
