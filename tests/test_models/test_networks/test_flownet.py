"""The learned flow and the two that learn nothing."""

import pytest
import torch
import torch.nn.functional as F

from mmdsr.models.losses import FlowLoss
from mmdsr.models.networks.flow import (
    inside,
    pixel_grid,
    sample,
    zoom_out,
)
from mmdsr.models.networks.padding import downscale, upscale
from mmdsr.models.networks.reference_fusion import gather_evidence
from mmdsr.registry import MODELS

SMALL = dict(
    channels=(8, 12, 16),
    widths=(12, 16, 16),
    radii=(2, 2, 2),
    repeats=(1,) * 3,
)


def texture(height, width, seed=0):
    """Smooth noise of several scales (1, 3, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    image = 0
    for size in (4, 8, 16):
        noise = torch.rand(
            1,
            3,
            height // size + 3,
            width // size + 3,
            generator=generator,
        )
        image = image + F.interpolate(
            noise, size=(height, width), mode='bicubic'
        )
    return (image / 3).clamp(0, 1)


def flow_net(**kwargs):
    torch.manual_seed(0)
    return MODELS.build(dict(type='mmdsr.FlowNet', **kwargs))


def test_size():
    count = sum(p.numel() for p in flow_net().parameters())
    assert 1e5 < count <= 0.6e6
    with pytest.raises(ValueError, match='one value'):
        flow_net(channels=(8, 8))


@pytest.mark.parametrize('size', [(17, 23), (16, 16), (40, 33)])
@pytest.mark.parametrize('ref_size', [(64, 64), (51, 130)])
def test_any_size(size, ref_size):
    net = flow_net()
    lr, ref = torch.rand(2, 3, *size), torch.rand(2, 3, *ref_size)
    flow, confidence = net(lr, ref)
    assert flow.shape == (2, 2, *size)
    assert confidence.shape == (2, 1, *size)
    assert confidence.min() >= 0
    assert confidence.max() <= 1
    down = downscale(ref)
    outside = inside(flow, down.shape[-2:]) == 0
    assert not confidence[outside].any()
    flow_2, _ = net(lr, ref, down)
    assert torch.equal(flow, flow_2)


@pytest.mark.parametrize('depth_input', [False, True])
def test_further_searches_by_loops(depth_input):
    """The clearly more confident flow of each pixel, on its own scale."""
    zooms, size = (1.4, 2.0), (32, 40)
    net = flow_net(**SMALL, zooms=zooms, depth_input=depth_input)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    lr, ref = texture(*size), texture(160, 192, seed=1)
    down = downscale(ref)
    maps = dict(depth=torch.rand(1, 1, *size), depth_ref=down[:, :1])
    maps = maps if depth_input else {}
    found = [(1.0, *net.estimate(lr, down, **maps)[-1])]
    for zoom in zooms:
        # Reduced to the size of LR, so that nothing is cropped or padded.
        small, *depth_ref = (
            sample(one, zoom_out(pixel_grid(lr), size, (40, 48), zoom))
            for one in (down, *list(maps.values())[1:])
        )
        two = [maps['depth'], *depth_ref] if depth_input else []
        found.append((zoom, *net.estimate(lr, small, *two)[-1]))
    flow, confidence = net(lr, ref, **maps)
    taken = set()
    for y in range(size[0]):
        for x in range(size[1]):
            best = found[0]
            for one in found[1:]:
                if one[2][0, 0, y, x] > best[2][0, 0, y, x] + 2:
                    best = one
            zoom, place, logit = best
            taken.add(zoom)
            there = [
                (at + place[0, axis, y, x] - side / 2 + 0.5) * zoom
                + (ref_side / 2 - 0.5 - at)
                for axis, at, side, ref_side in (
                    (0, x, 40, 48),
                    (1, y, 32, 40),
                )
            ]
            if zoom == 1:
                there = list(place[0, :, y, x])
            torch.testing.assert_close(
                flow[0, :, y, x], torch.stack(there), atol=1e-4, rtol=1e-4
            )
            if confidence[0, 0, y, x]:
                torch.testing.assert_close(
                    confidence[0, 0, y, x], logit[0, 0, y, x].sigmoid()
                )
    assert taken == {1.0, *zooms}
    with pytest.raises(ValueError, match='must be > 1'):
        flow_net(zooms=(0.5,))


def test_levels_of_the_estimate():
    net = flow_net(repeats=(2, 1, 1, 1))
    results = net.estimate(torch.rand(1, 3, 17, 23), torch.rand(1, 3, 16, 20))
    sizes = [tuple(flow.shape[-2:]) for flow, _ in results]
    assert sizes == [(3, 3), (6, 6), (12, 12), (24, 24), (24, 24)]
    assert all(
        flow.shape[1] == 2 and logit.shape[1] == 1 for flow, logit in results
    )
    # Sides that are little over a multiple have levels of their own grid.
    losses = FlowLoss()(
        results, torch.zeros(1, 2, 17, 23), torch.ones(1, 1, 17, 23)
    )
    assert all(value.isfinite() for value in losses.values())


@pytest.mark.parametrize('border', [(0, 0), (3, 5), (-4, 2), (-3, -2)])
def test_starts_with_the_centers_on_each_other(border):
    """A picture with a known border, or cut: the flow is the border."""
    y, x = border
    big = texture(40, 44)
    lr = big[..., 8:32, 8:36]
    down = big[..., 8 - y : 32 + y, 8 - x : 36 + x]
    net = flow_net()
    flow, _ = net(lr, upscale(down), down)
    expected = torch.tensor([x, y]).view(1, 2, 1, 1).expand_as(flow)
    torch.testing.assert_close(flow, expected.float())


def test_learns_a_translation():
    big = texture(40, 48)
    lr, down = big[..., 4:36, 4:44], big[..., 2:34, 7:47]
    truth = torch.tensor([-3.0, 2.0]).view(1, 2, 1, 1).expand(1, 2, 32, 40)
    visible = inside(truth, (32, 40))
    net = flow_net(**SMALL)
    optim = torch.optim.Adam(net.parameters(), lr=4e-3)
    loss = FlowLoss()
    for _ in range(40):
        optim.zero_grad()
        sum(loss(net.estimate(lr, down), truth, visible).values()).backward()
        optim.step()
    with torch.no_grad():
        flow, confidence = net(lr, upscale(down), down)
    error = (flow - truth).norm(dim=1, keepdim=True)[visible > 0]
    assert error.median() < 0.5
    assert confidence[visible > 0].mean() > confidence[visible == 0].mean()


def dis():
    return MODELS.build(dict(type='mmdsr.DISAligner'))


@pytest.mark.parametrize('border', [0, 5])
def test_dis_finds_a_sub_pixel_shift(border):
    big = texture(400, 480)
    # 5 and -3 HR pixels.
    hr = big[..., 80:320, 80:400]
    b = 4 * border
    ref = big[..., 83 - b : 323 + b, 75 - b : 395 + b]
    flow, confidence = dis()(downscale(hr), ref)
    expected = torch.tensor([1.25, -0.75]) + border
    inner = flow[0, :, 6:-6, 6:-6].flatten(1)
    error = (inner - expected[:, None]).norm(dim=0)
    assert error.quantile(0.9) < 0.25
    assert confidence[..., 6:-6, 6:-6].mean() > 0.7
    assert confidence.shape == (1, 1, 60, 80)


def test_dis_with_an_unrelated_reference():
    lr = texture(48, 64)
    flow, confidence = dis()(lr, texture(160, 130, seed=5))
    assert flow.shape == (1, 2, 48, 64)
    assert confidence.mean() < 0.5
    with pytest.raises(ValueError, match='preset'):
        MODELS.build(dict(type='mmdsr.DISAligner', preset='slow'))


@pytest.mark.parametrize('kind', ['DSRNet', 'MASASRNet'])
def test_drimm_gives_the_match_map(kind):
    torch.manual_seed(0)
    network = dict(
        type=f'mmdsr.{kind}',
        channels=8,
        encoder_blocks=(1, 1, 1),
        decoder_blocks=(1,) * 6,
    )
    if kind == 'DSRNet':
        network['depth_net'] = dict(type='mmdsr.DepthUNet', base_channels=8)
    aligner = MODELS.build(
        dict(type='mmdsr.DRIMMAligner', network=network)
    ).eval()
    drimm = next(m for m in aligner.modules() if type(m).__name__ == 'DRIMM')
    seen = []
    drimm.register_forward_hook(
        lambda module, args, out: seen.append(module.match(*args[:2]))
    )
    with torch.no_grad():
        flow, confidence = aligner(texture(32, 35), texture(128, 160))
    ((row, col),) = seen
    assert flow.shape == (1, 2, 32, 35)
    assert torch.equal(flow, flow.round())
    y, x = torch.meshgrid(torch.arange(32), torch.arange(35), indexing='ij')
    assert torch.equal(x + flow[0, 0], col[0, :32, :35].float())
    assert torch.equal(y + flow[0, 1], row[0, :32, :35].float())
    assert confidence.min() >= 0
    assert confidence.max() <= 1


def test_flow_warp_adds_detail_where_images_agree():
    big = texture(400, 480)
    # Detail that bicubic cannot know.
    torch.manual_seed(0)
    big = (big + 0.1 * torch.rand_like(big)).clamp(0, 1)
    hr, ref = big[..., 80:320, 80:400], big[..., 83:323, 75:395]
    lr = downscale(hr)
    net = MODELS.build(dict(type='mmdsr.FlowWarp'))
    output = net.explain(lr, ref)

    def error(sr):
        return (sr - hr)[..., 24:-24, 24:-24].square().mean()

    assert error(output.sr) < 0.7 * error(upscale(lr))
    assert output.flow.shape == (1, 2, 60, 80)
    # As for a teacher or student, though it has no features.
    assert torch.equal(net.explain(lr, ref, None, 'block').sr, output.sr)
    # Detail has no mean in a cell: the low pass stays.
    torch.testing.assert_close(
        F.avg_pool2d(output.sr, 4), F.avg_pool2d(upscale(lr), 4)
    )
    black = net(lr, torch.zeros_like(ref))
    assert gather_evidence(lr, ref, output.flow).detail.std() > 0
    assert (black - upscale(lr)).abs().max() < 0.1


def test_depth_is_an_input():
    torch.manual_seed(0)
    net = flow_net(depth_input=True, **SMALL)
    for part in net.refine:
        torch.nn.init.normal_(part.head.weight, std=0.1)
    lr, ref = texture(37, 45), texture(150, 170)
    depth, depth_ref = torch.rand(1, 1, 37, 45), torch.rand(1, 1, 38, 43)
    with torch.no_grad():
        flow, _ = net(lr, ref, None, depth, depth_ref)
        for other in (depth.flip(-1), depth.sqrt()):
            assert not torch.equal(
                net(lr, ref, None, other, depth_ref)[0], flow
            )
        # Unknown is far.
        hole = depth.clone()
        hole[..., 5:9, 5:9] = float('nan')
        far = hole.nan_to_num(nan=0)
        found = [net(lr, ref, None, d, depth_ref)[0] for d in (hole, far)]
        assert found[0].isfinite().all()
        assert torch.equal(*found)
        plain = flow_net(**SMALL)
        ignored = plain(lr, ref, None, depth, depth_ref)[0]
        assert torch.equal(plain(lr, ref)[0], ignored)
    with pytest.raises(ValueError, match='depth must be given'):
        net(lr, ref)
    with pytest.raises(ValueError, match='depth_ref must have shape'):
        net(lr, ref, None, depth, depth)


@pytest.mark.slow
def test_depth_distinguishes_equal_images():
    gray = torch.full((2, 3, 32, 40), 0.5)
    wide = texture(40, 48)[:, :1]
    # From near to far, as in a pipe.
    wide = (wide - wide.amin()) / (wide.amax() - wide.amin())
    wide = 0.005**wide
    shifts = [(-3, 2), (2, -3)]
    depth = wide[..., 4:36, 4:44].repeat(2, 1, 1, 1)
    depth_ref = torch.cat(
        [wide[..., 4 - y : 36 - y, 4 - x : 44 - x] for x, y in shifts]
    )
    truth = torch.tensor(shifts).float()[..., None, None].expand(2, 2, 32, 40)
    loss = FlowLoss()

    def error(depth_input):
        net = flow_net(depth_input=depth_input, **SMALL)
        optim = torch.optim.Adam(net.parameters(), lr=4e-3)
        for _ in range(40):
            results = net.estimate(gray, gray, depth, depth_ref)
            losses = loss(results, truth, torch.ones(2, 1, 32, 40))
            optim.zero_grad()
            sum(losses.values()).backward()
            optim.step()
        return (results[-1][0] - truth).norm(dim=1).mean().item()

    assert error(True) < 1
    # The shifts are 7 pixels from each other.
    assert error(False) > 3
