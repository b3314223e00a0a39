"""Flow functions against slow ones with loops."""

import numpy as np
import pytest
import torch

from mmdsr.models.networks.flow import (
    enlarge_flow,
    even_light,
    fit_reference,
    inside,
    local_correlation,
    pixel_grid,
    warp,
    zoom_out,
)


def bilinear(image, x, y, zeros=False):
    """One value (C,) of an image (C, H, W) between its pixels."""
    height, width = image.shape[-2:]
    if not zeros:
        x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    left, top = int(np.floor(x)), int(np.floor(y))
    value = np.zeros(len(image))
    for row, part_y in ((top, 1 - y + top), (top + 1, y - top)):
        for col, part_x in ((left, 1 - x + left), (left + 1, x - left)):
            if 0 <= row < height and 0 <= col < width:
                value += part_x * part_y * image[:, row, col]
    return value


@pytest.mark.parametrize('padding', ['border', 'zeros'])
def test_warp(padding):
    rng = np.random.default_rng(0)
    image = rng.random((2, 3, 7, 9))
    flow = rng.normal(0, 3, (2, 2, 5, 6))
    found = warp(
        torch.from_numpy(image).float(),
        torch.from_numpy(flow).float(),
        padding,
    )
    for n, y, x in np.ndindex(2, 5, 6):
        dx, dy = flow[n, :, y, x]
        expected = bilinear(image[n], x + dx, y + dy, padding == 'zeros')
        np.testing.assert_allclose(found[n, :, y, x], expected, atol=1e-5)


def test_enlarged_flow_is_equivalent():
    torch.manual_seed(0)
    # Linear flow: what lies between pixels is known.
    x, y = pixel_grid(torch.zeros(1, 1, 6, 8))[0]
    flow = torch.stack([0.1 * x - 0.2 * y, 0.3 * y + 1])[None]
    large = enlarge_flow(flow, 4)
    u, v = pixel_grid(large)[0]
    x, y = (u + 0.5) / 4 - 0.5, (v + 0.5) / 4 - 0.5
    expected = 4 * torch.stack([0.1 * x - 0.2 * y, 0.3 * y + 1])
    inner = slice(2, -2)
    torch.testing.assert_close(
        large[0, :, inner, inner], expected[:, inner, inner]
    )
    assert enlarge_flow(flow, 1) is flow


def test_inside():
    flow = torch.zeros(1, 2, 2, 3)
    flow[0, 0] = torch.tensor([[-0.5, 0, 0], [-0.51, 2.4, 2.6]])
    flow[0, 1] = torch.tensor([[0, 3.4, 3.6], [0, 0, 0]])
    expected = torch.tensor([[1.0, 1, 0], [0, 1, 0]])
    assert torch.equal(inside(flow, (4, 4))[0, 0], expected)


def test_local_correlation():
    rng = np.random.default_rng(1)
    feat, other = rng.normal(size=(2, 1, 5, 6, 7))
    found = local_correlation(
        torch.from_numpy(feat).float(), torch.from_numpy(other).float(), 2
    )
    assert found.shape == (1, 25, 6, 7)
    for y, x in np.ndindex(6, 7):
        for number, (dy, dx) in enumerate(np.ndindex(5, 5)):
            row, col = y + dy - 2, x + dx - 2
            expected = 0.0
            if 0 <= row < 6 and 0 <= col < 7:
                one, two = feat[0, :, y, x], other[0, :, row, col]
                expected = one @ two / np.linalg.norm(one)
                expected /= np.linalg.norm(two)
            assert abs(found[0, number, y, x] - expected) < 1e-5


def test_even_light():
    rng = np.random.default_rng(2)
    image = rng.random((3, 8, 9))
    found = even_light(torch.from_numpy(image)[None], window=3)[0, 0]
    gray = np.pad(image.mean(0), 1, mode='edge')
    for y, x in np.ndindex(8, 9):
        near = gray[y : y + 3, x : x + 3]
        expected = (gray[y + 1, x + 1] - near.mean()) / (near.std() + 0.01)
        assert abs(found[y, x] - expected) < 1e-4
    # The lamp's place changes little, and a gray picture has nothing.
    assert not even_light(torch.full((1, 3, 12, 12), 0.7)).abs().max() > 1e-3


@pytest.mark.parametrize('size', [(9, 12), (20, 12), (9, 31), (24, 40)])
def test_fit_reference_puts_the_centers_on_each_other(size):
    ref = torch.rand(1, 3, *size)
    fitted, (left, top) = fit_reference(ref, (15, 21), (16, 24))
    assert fitted.shape == (1, 3, 16, 24)
    assert (top, left) == ((size[0] - 15) // 2, (size[1] - 21) // 2)
    for y, x in np.ndindex(16, 24):
        row = min(max(y + top, 0), size[0] - 1)
        col = min(max(x + left, 0), size[1] - 1)
        assert torch.equal(fitted[..., y, x], ref[..., row, col])


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_keeps_the_place(dtype):
    image = (torch.arange(256.0) % 2).expand(1, 1, 4, 256)
    flow = torch.full((1, 2, 4, 256), 0.25)
    flow[:, 1] = 0
    found = warp(image.to(dtype), flow)
    assert found.dtype == dtype
    # 200.25 is no number of eight bits, all results are.
    torch.testing.assert_close(found.float(), warp(image, flow))


@pytest.mark.parametrize('zoom', [1.25, 2.0])
def test_zooming_out_reduces_about_the_center(zoom):
    """Like a picture whose pixels hold their distance from the center."""
    size, ref_size = (12, 17), (30, 41)
    place = 8 * torch.rand(2, 2, *size) - 2
    found = zoom_out(place, size, ref_size, zoom)
    for n, axis, y, x in np.ndindex(*found.shape):
        side, ref_side = size[1 - axis], ref_size[1 - axis]
        from_center = float(place[n, axis, y, x]) + 0.5 - side / 2
        expected = from_center * zoom + ref_side / 2 - 0.5
        assert float(found[n, axis, y, x]) == pytest.approx(expected, abs=1e-4)
