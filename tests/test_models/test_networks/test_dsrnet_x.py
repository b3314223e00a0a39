"""DSRNet-X: its parts against loops, what it promises, what it costs."""

import copy

import numpy as np
import pytest
import torch

from mmdsr.models.networks.flow import enlarge_flow, inside, warp
from mmdsr.models.networks.padding import upscale
from mmdsr.models.networks.reference_fusion import (
    Evidence,
    ReferenceFusion,
    gather_evidence,
    local_gain,
)
from mmdsr.registry import MODELS

ALIGNER = dict(
    type='mmdsr.FlowNet',
    channels=(4, 8),
    widths=(8, 8),
    radii=(1, 1),
    repeats=(1, 1),
)


def make(aligner=ALIGNER, trained=True, **kwargs):
    """A small network; ``trained``: with weights that use everything."""
    torch.manual_seed(0)
    net = MODELS.build(
        dict(
            type='mmdsr.DSRNetX',
            channels=8,
            num_blocks=4,
            aligner=copy.deepcopy(aligner),
            **kwargs,
        )
    )
    if trained:
        for p in net.parameters():
            torch.nn.init.normal_(p, std=0.1)
    return net.eval()


def images(lr=(17, 23), ref=(64, 80), batch=1, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.rand(batch, 3, *lr, generator=generator),
        torch.rand(batch, 3, *ref, generator=generator),
    )


def test_local_gain():
    rng = np.random.default_rng(0)
    target, source = rng.random((2, 1, 3, 6, 7)) ** 3
    found = local_gain(torch.tensor(target), torch.tensor(source), window=3)
    for y, x in np.ndindex(6, 7):
        rows = slice(max(y - 1, 0), y + 2)
        cols = slice(max(x - 1, 0), x + 2)
        light = [im[0, :, rows, cols].mean() for im in (target, source)]
        expected = np.clip((light[0] + 0.02) / (light[1] + 0.02), 0.25, 4)
        assert abs(found[0, 0, y, x] - expected) < 1e-6
    # Black has no light to be matched.
    assert (
        local_gain(torch.ones(1, 3, 9, 9), torch.zeros(1, 3, 9, 9)).max() == 4
    )


def test_evidence():
    lr, ref = images((5, 6), (20, 24))
    flow = 1.5 * torch.randn(1, 2, 5, 6)
    evidence = gather_evidence(lr, ref, flow)
    warped = warp(ref, enlarge_flow(flow, 4)).numpy()
    low = np.zeros((3, 5, 6))
    for c, y, x in np.ndindex(3, 5, 6):
        low[c, y, x] = warped[
            0, c, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4
        ].mean()
    gain = local_gain(lr, torch.from_numpy(low).float()[None]).numpy()
    np.testing.assert_allclose(
        evidence.difference[0], low * gain[0] - lr[0].numpy(), atol=1e-5
    )
    for c, y, x in np.ndindex(3, 5, 6):
        for i, j in np.ndindex(4, 4):
            value = warped[0, c, 4 * y + i, 4 * x + j] - low[c, y, x]
            found = evidence.detail[0, 16 * c + 4 * i + j, y, x]
            assert abs(found - value * gain[0, 0, y, x]) < 1e-5


def fuse(fusion, count, seed=0, confidence=None):
    torch.manual_seed(seed)
    evidence = Evidence(
        0.1 * torch.randn(2 * count, 48, 5, 6),
        0.1 * torch.randn(2 * count, 3, 5, 6),
    )
    if confidence is None:
        confidence = torch.rand(2 * count, 1, 5, 6)
    return evidence, confidence, fusion(evidence, confidence, count)


@torch.no_grad()
def test_weights_of_the_fusion():
    torch.manual_seed(0)
    fusion = ReferenceFusion(8)
    evidence, confidence, (feat, detail, share) = fuse(fusion, 3)
    x = torch.cat(
        [4 * evidence.detail, 4 * evidence.difference, confidence], 1
    )
    x = fusion.conv2(fusion.conv1(x).relu())
    for n in range(2):
        some = slice(3 * n, 3 * n + 3)
        weights = confidence[some] * x[some, -1:].clamp(-10, 10).exp()
        largest = weights.max(0).values
        total, feats, details = largest / (1 + largest), 0, 0
        for k in range(3):
            part = total * weights[k] ** 4 / (weights**4).sum(0)
            feats = feats + part * x[3 * n + k, :-1]
            details = details + part * evidence.detail[3 * n + k]
        torch.testing.assert_close(feat[n], feats)
        torch.testing.assert_close(detail[n], details)
        torch.testing.assert_close(share[n], total)
    assert share.min() > 0
    assert share.max() < 1
    nothing = fuse(fusion, 3, confidence=torch.zeros(6, 1, 5, 6))[2]
    assert not any(part.any() for part in nothing)


@pytest.mark.parametrize('trained', [True, False])
@torch.no_grad()
def test_no_reference_in_all_its_forms(trained):
    net = make(trained=trained)
    lr, ref = images(batch=2)
    zero = torch.zeros(2, 1, 17, 23)
    alone = net(lr)
    assert torch.equal(alone, net(lr, lr))
    assert torch.equal(alone, net(lr, lr.clone()))
    flow = torch.zeros(2, 2, 17, 23)
    assert torch.equal(alone, net(lr, ref, flow=flow, confidence=zero))
    output = net.explain(lr)
    assert torch.equal(output.sr, alone)
    assert output.flow is None
    assert not output.confidence.any()
    if trained:
        assert not torch.allclose(alone, net(lr, ref))
    else:
        # It starts at bicubic, whatever the reference shows.
        torch.testing.assert_close(alone, upscale(lr))
        torch.testing.assert_close(net(lr, ref), upscale(lr))


@torch.no_grad()
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_no_confidence_in_half_precision(dtype):
    net = make(trained=True).to(dtype)
    lr, ref = (image.to(dtype) for image in images())
    flow = torch.zeros(1, 2, 17, 23, dtype=dtype)
    confidence = torch.zeros(1, 1, 17, 23, dtype=dtype)
    confidence[..., 8:] = 1
    alone = net(lr, ref, flow=flow, confidence=0 * confidence)
    assert torch.equal(alone, net(lr))
    assert net(lr, ref, flow=flow, confidence=confidence).isfinite().all()


@torch.no_grad()
def test_an_image_as_its_own_reference_in_a_batch():
    net = make()
    lr, ref = images(ref=(17, 23), batch=3)
    ref[1] = lr[1]
    both = net.explain(lr, ref)
    for i in range(3):
        one = net(lr[i : i + 1], ref[i : i + 1])
        torch.testing.assert_close(both.sr[i : i + 1], one, atol=1e-4, rtol=0)
    torch.testing.assert_close(both.sr[1:2], net(lr[1:2]), atol=1e-4, rtol=0)
    assert not both.confidence[1].any()
    assert both.confidence[0].any()
    # One of several: as if it were not there.
    many = torch.stack([ref, lr], 1)
    torch.testing.assert_close(net(lr, many), both.sr, atol=1e-4, rtol=0)


@pytest.mark.parametrize('size', [(17, 23), (16, 16), (20, 32)])
@pytest.mark.parametrize('ref', [(64, 80), (16, 131), (17, 23)])
@pytest.mark.parametrize('batch', [1, 2])
@torch.no_grad()
def test_any_sizes(size, ref, batch):
    net = make()
    lr, ref = images(size, ref, batch)
    output = net.explain(lr, ref)
    height, width = size
    assert output.sr.shape == (batch, 3, 4 * height, 4 * width)
    assert output.flow.shape == (batch, 2, height, width)
    assert output.confidence.shape == (batch, 1, height, width)
    assert output.confidence.min() >= 0
    assert output.confidence.max() < 1
    assert output.depth is output.depth_ref is output.depth_feats is None
    single = net(lr[:1], ref[:1])
    torch.testing.assert_close(output.sr[:1], single, atol=1e-4, rtol=0)


@torch.no_grad()
def test_several_references():
    net = make()
    lr, _ = images(batch=2)
    refs = torch.rand(2, 3, 3, 64, 80)
    output = net.explain(lr, refs)
    assert output.flow.shape == (2, 3, 2, 17, 23)
    for order in ([2, 0, 1], [1, 0, 2]):
        torch.testing.assert_close(
            net(lr, refs[:, order]), output.sr, atol=1e-4, rtol=0
        )
    one = net(lr, refs[:, :1])
    torch.testing.assert_close(one, net(lr, refs[:, 0]))
    # The same one twice says no more than once.
    twice = net(lr, refs[:, [0, 0]])
    torch.testing.assert_close(twice, one, atol=1e-4, rtol=0)
    # With a flow for each, given either way.
    flow, zero = output.flow, torch.zeros(2, 3, 1, 17, 23)
    given = net(lr, refs, flow=flow)
    torch.testing.assert_close(given, net(lr, refs, flow=flow.flatten(0, 1)))
    assert torch.equal(net(lr, refs, flow=flow, confidence=zero), net(lr))
    zero[:, 1] = 1
    torch.testing.assert_close(
        net(lr, refs, flow=flow, confidence=zero),
        net(lr, refs[:, 1], flow=flow[:, 1], confidence=zero[:, 1]),
    )


@torch.no_grad()
def test_given_flow():
    net = make(aligner=None)
    lr, ref = images()
    flow = 3 * torch.randn(1, 2, 17, 23)
    expected = net(lr, ref, flow=flow, confidence=inside(flow, (16, 20)))
    output = net.explain(lr, ref, flow=flow)
    assert torch.equal(output.sr, expected)
    assert torch.equal(output.flow, flow)
    with pytest.raises(ValueError, match='no aligner'):
        net(lr, ref)


def depths(batch=1, lr=(17, 23), ref=(16, 20), seed=3):
    generator = torch.Generator().manual_seed(seed)
    return (
        0.1 + 0.8 * torch.rand(batch, 1, *lr, generator=generator),
        0.1 + 0.8 * torch.rand(batch, 1, *ref, generator=generator),
    )


@torch.no_grad()
def test_depth_as_evidence():
    net = make(depth_cues=True)
    assert net.needs_depth
    assert not make().needs_depth
    lr, ref = images()
    depth, depth_ref = depths()
    maps = dict(depth=depth, depth_ref=depth_ref)
    sr = net(lr, ref, **maps)
    unknown = {key: torch.full_like(m, torch.nan) for key, m in maps.items()}
    blind = net(lr, ref, **unknown)
    assert sr.isfinite().all()
    assert blind.isfinite().all()
    assert (sr - blind).abs().max() > 1e-4
    # Unknown is what the evidence calls unknown, in one map or both.
    unknown['depth'] = depth
    torch.testing.assert_close(net(lr, ref, **unknown), blind)
    # Without a reference nothing is asked of depth.
    assert torch.equal(net(lr), net(lr, None, **maps))
    refs = torch.rand(1, 3, 3, 64, 80)
    many = dict(depth=depth, depth_ref=torch.rand(1, 3, 1, 16, 20))
    several = net(lr, refs, **many)
    order = [2, 0, 1]
    many['depth_ref'] = many['depth_ref'][:, order]
    turned = net(lr, refs[:, order], **many)
    torch.testing.assert_close(turned, several, atol=1e-4, rtol=0)
    for broken, match in (
        (dict(depth=depth), 'needs depth maps'),
        (dict(depth=depth[..., 1:], depth_ref=depth_ref), 'depth must'),
        (dict(depth=depth, depth_ref=depth), 'depth_ref must'),
    ):
        with pytest.raises(ValueError, match=match):
            net(lr, ref, **broken)


@torch.no_grad()
def test_an_aligner_that_takes_depth_gets_it():
    net = make(aligner=dict(ALIGNER, depth_input=True))
    lr, ref = images()
    depth, depth_ref = depths()
    assert net.needs_depth
    output = net.explain(lr, ref, depth=depth, depth_ref=depth_ref)
    flow, _ = net.aligner(lr, ref, None, depth, depth_ref)
    assert torch.equal(output.flow, flow)
    other = net.explain(lr, ref, depth=1 - depth, depth_ref=depth_ref)
    assert not torch.equal(other.flow, flow)


def test_refuses():
    net = make()
    lr, ref = images()
    for kwargs, match in (
        (dict(flow=torch.zeros(1, 2, 16, 23)), 'flow must have'),
        (
            dict(
                flow=torch.zeros(1, 2, 17, 23),
                confidence=torch.zeros(1, 2, 17, 23),
            ),
            'confidence must have',
        ),
        (dict(ref=torch.rand(2, 3, 64, 80)), 'batch size'),
        (dict(ref=torch.rand(1, 0, 3, 64, 80)), 'at least one reference'),
        (dict(ref=torch.rand(1, 3, 8, 80)), 'at least 16'),
        (dict(ref_down=torch.rand(1, 3, 9, 9)), 'ref_down'),
    ):
        with pytest.raises(ValueError, match=match):
            net(**{'lr': lr, 'ref': ref, **kwargs})
    with pytest.raises(ValueError, match='at least 16'):
        net(lr[..., :8])
    with pytest.raises(ValueError, match='unused'):
        make(use_reference=False)
    with pytest.raises(ValueError, match='depth is unused'):
        make(aligner=None, use_reference=False, depth_cues=True)


def test_trunk_alone():
    net = make(aligner=None, use_reference=False)
    lr, ref = images()
    assert torch.equal(net(lr, ref), net(lr))
    assert net.gate is None
    assert net.fusion is None


@pytest.mark.parametrize(('level', 'count'), [('scale', 3), ('block', 4)])
@pytest.mark.parametrize('reference', [True, False])
def test_features_have_the_declared_channels(level, count, reference):
    net = make()
    lr, ref = images()
    widths, depth = net.feature_channels(level)
    ref = ref if reference else None
    output = net.explain(lr, ref, feature_level=level)
    assert torch.equal(output.sr, net(lr, ref))
    feats = output.feats
    assert depth is None
    assert [feat.shape[1] for feat in feats] == widths == [8] * count
    assert all(feat.shape[-2:] == lr.shape[-2:] for feat in feats)
    assert len({feat.sum().item() for feat in feats}) == count
    with pytest.raises(ValueError, match="'scale' or 'block'"):
        net.explain(lr, feature_level='layer')


def test_an_exact_reference_matters_after_a_few_steps():
    torch.manual_seed(0)
    net = make(aligner=None, trained=False).train()
    hr = torch.rand(1, 3, 80, 96)
    lr = torch.nn.functional.avg_pool2d(hr, 4)
    ref = hr.roll((8, -4), (-2, -1))
    flow = torch.tensor([-1.0, 2.0]).view(1, 2, 1, 1).expand(1, 2, 20, 24)
    optim = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(40):
        optim.zero_grad()
        (net(lr, ref, flow=flow) - hr).abs().mean().backward()
        optim.step()
    with torch.no_grad():
        errors = [
            (sr - hr).abs().mean().item()
            for sr in (
                net(lr, ref, flow=flow),
                net(lr),
                net(lr, ref, flow=flow + 5),
            )
        ]
    assert errors[0] < 0.8 * min(errors[1:])
