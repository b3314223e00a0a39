"""One tester for every reference-based network."""

import pytest
import torch

from mmdsr.models.networks import DSRNet, DSROutput, MASASRNet
from mmdsr.models.networks.padding import downscale, upscale
from mmdsr.registry import MODELS

SMALL = dict(
    channels=8, encoder_blocks=(1, 1, 1), decoder_blocks=(1, 1, 1, 1, 1, 1)
)
NETS = {
    'paper': dict(
        type='mmdsr.DSRNet',
        depth_net=dict(type='mmdsr.DepthUNet', base_channels=8),
        **SMALL,
    ),
    'released': dict(type='mmdsr.DSRNet', variant='released', **SMALL),
    'masa': dict(type='mmdsr.MASASRNet', **SMALL),
    # Another width on each level, and other blocks for depth.
    'widths': dict(
        type='mmdsr.DSRNet',
        depth_net=dict(type='mmdsr.DepthUNet', base_channels=8),
        depth_encoder_blocks=(0, 1, 2),
        **SMALL | dict(channels=(4, 8, 12)),
    ),
}


def build(name):
    """A small network in which every branch takes part in the output."""
    torch.manual_seed(1)
    net = MODELS.build(NETS[name])
    for key, p in net.named_parameters():
        if p.ndim == 4:
            gain = 0.5 if 'decoder' in key or 'blocks' in key else 1.0
            torch.nn.init.normal_(p, std=gain * (2 / p[0].numel()) ** 0.5)
    return net


def images(n=1, lr=(32, 48), ref=(128, 192), seed=0):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(n, 3, 12, 16, generator=generator)
    big = torch.nn.functional.interpolate(
        coarse, size=(256, 256), mode='bicubic'
    ).clamp(0, 1)
    noise = torch.rand(n, 3, 256, 256, generator=generator) * 0.1
    big = (big + noise).clamp(0, 1)
    return (
        downscale(big[:, :, : 4 * lr[0], : 4 * lr[1]]).clamp(0, 1),
        big[:, :, -ref[0] :, -ref[1] :],
    )


def depths(net, lr, ref):
    """Keyword arguments for networks that need depth."""
    if not net.needs_depth:
        return {}
    generator = torch.Generator().manual_seed(7)
    size = [-(-side // 4) for side in ref.shape[-2:]]
    return dict(
        depth=torch.rand(len(lr), 1, *lr.shape[-2:], generator=generator),
        depth_ref=torch.rand(len(lr), 1, *size, generator=generator),
    )


@pytest.fixture(params=NETS)
def net(request):
    return build(request.param)


@pytest.mark.parametrize(
    ('lr', 'ref'),
    [
        ((16, 16), (64, 64)),
        ((17, 31), (70, 45)),  # nothing divides anything
        ((32, 16), (16, 16)),  # reference smaller than LR
        ((40, 56), (250, 99)),
    ],
)
def test_any_size_of_lr_and_ref(net, lr, ref):
    lr, ref = images(1, lr, ref)
    out = net.explain(lr, ref, **depths(net, lr, ref))
    height, width = lr.shape[-2:]
    assert isinstance(out, DSROutput)
    assert out.sr.shape == (1, 3, 4 * height, 4 * width)
    assert out.sr.isfinite().all()
    assert out.confidence.shape == (1, 1, height, width)
    assert out.confidence.abs().max() <= 1 + 1e-5
    assert len(out.feats) == 3


def test_output_without_features_is_the_image(net):
    lr, ref = images()
    given = depths(net, lr, ref)
    out = net.explain(lr, ref, **given)
    torch.testing.assert_close(net(lr, ref, **given), out.sr)
    if isinstance(net, MASASRNet):
        assert out.depth is None
        assert out.depth_feats is None
    else:
        assert out.depth.shape == (1, 1, 32, 48)
        assert out.depth_ref.shape == (1, 1, 32, 48)
        assert len(out.depth_feats) == 3


def test_samples_of_a_batch_do_not_mix(net):
    lr, ref = images(3)
    given = depths(net, lr, ref)
    batch = net(lr, ref, **given)
    for k in range(3):
        one = {key: value[k : k + 1] for key, value in given.items()}
        alone = net(lr[k : k + 1], ref[k : k + 1], **one)
        torch.testing.assert_close(
            batch[k : k + 1], alone, atol=1e-4, rtol=1e-4
        )


def test_ref_down_is_computed_when_left_out(net):
    lr, ref = images(ref=(70, 45))
    given = depths(net, lr, ref)
    torch.testing.assert_close(
        net(lr, ref, downscale(ref), **given), net(lr, ref, **given)
    )


def test_the_reference_matters(net):
    lr, ref = images()
    given = depths(net, lr, ref)
    other = images(seed=5)[1]
    base = net(lr, ref, **given)
    change = (net(lr, other, **given) - base).abs().mean()
    residual = (base - upscale(lr)).abs().mean()
    assert change > 0.05 * residual


def test_self_reference(net):
    lr, _ = images()
    sr = net(lr, lr, **depths(net, lr, lr))
    assert sr.shape == (1, 3, 128, 192)
    assert sr.isfinite().all()


def test_padding_leaves_no_seam(net):
    """Pixels far from the padded side hardly feel the padding.

    A replicated border changes the statistics that the modulation blocks
    see, so the outputs are close, not equal.
    """
    lr, ref = images(lr=(45, 45), ref=(192, 192))
    given = depths(net, lr, ref)
    sr = net(lr, ref, **given)
    padded = torch.nn.functional.pad(lr, (0, 3, 0, 3), mode='replicate')
    if given:
        given['depth'] = torch.nn.functional.pad(
            given['depth'], (0, 3, 0, 3), mode='replicate'
        )
    full = net(padded, ref, **given)
    residual = (sr - upscale(lr)).abs().mean()
    difference = (full[..., :180, :180] - sr).abs()
    if net.needs_depth or isinstance(net, MASASRNet):
        # No depth network: padding outside is padding inside.
        assert difference.max() < 1e-4
    else:
        assert difference[..., :160, :160].mean() < 0.2 * residual


def test_every_weight_is_trained(net):
    lr, ref = images(2)
    net(lr, ref, **depths(net, lr, ref)).square().mean().backward()
    for name, p in net.named_parameters():
        assert p.grad is not None, name
        assert p.grad.isfinite().all(), name
        assert p.grad.abs().max() > 0, name


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast_keeps_matches_and_stays_near(net, dtype):
    try:
        with torch.autocast('cpu', dtype=dtype):
            pass
    except RuntimeError as error:  # no fp16 in old releases
        pytest.skip(str(error))
    lr, ref = images()
    given = depths(net, lr, ref)
    with torch.no_grad():
        full = net(lr, ref, **given)
        with torch.autocast('cpu', dtype=dtype):
            half = net(lr, ref, **given)
    assert half.isfinite().all()
    scale = (full - upscale(lr)).abs().mean()
    assert (half.float() - full).abs().mean() < 0.3 * scale


def test_fresh_network_starts_from_bicubic():
    """Small initial residual: training starts near the baseline."""
    net = DSRNet(depth_net=dict(type='mmdsr.DepthUNet', base_channels=8))
    lr, ref = images()
    with torch.no_grad():
        residual = net(lr, ref) - upscale(lr)
    assert residual.abs().mean() < 0.1


@pytest.mark.parametrize('training', [False, True])
def test_the_decoder_runs_in_the_faster_layout(net, training):
    layout = torch.contiguous_format if training else torch.channels_last
    layouts = []
    for module in net.decoder.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(
                lambda _, args, __: layouts.append(
                    args[0].is_contiguous(memory_format=layout)
                )
            )
    lr, ref = images()
    with torch.set_grad_enabled(training):
        net(lr, ref, **depths(net, lr, ref))
    assert layouts
    assert all(layouts)


def test_given_depth_replaces_the_predicted_one():
    net = build('paper')
    lr, ref = images()
    predicted = net.explain(lr, ref)
    again = net(lr, ref, depth=predicted.depth, depth_ref=predicted.depth_ref)
    torch.testing.assert_close(again, predicted.sr)
    zero = torch.zeros_like(predicted.depth)
    other = net(lr, ref, depth=zero, depth_ref=zero)
    assert (other - predicted.sr).abs().mean() > 1e-3


def test_cost_of_dead_levels_is_not_paid():
    net = build('released')
    calls = []
    for stage in net.encoder.stages:
        stage.register_forward_hook(lambda *_: calls.append(1))
    lr, ref = images()
    net(lr, ref, **depths(net, lr, ref))
    assert len(calls) == 3 + 1 + 3  # LR, Ref-down (level 1 only), Ref


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(lr=(1, 1, 32, 32)), 'lr must be RGB images'),
        (dict(ref=(3, 64, 64)), 'ref must be RGB images'),
        (dict(lr=(1, 3, 15, 32)), 'at least 16x16'),
        (dict(ref=(2, 3, 64, 64)), 'same batch size'),
        (dict(ref_down=(1, 3, 15, 16)), 'omit it'),
        (dict(depth=(1, 1, 8, 8)), 'depth must have shape'),
    ],
)
def test_wrong_inputs_are_explained(change, message):
    net = build('paper')
    shapes = dict(lr=(1, 3, 32, 32), ref=(1, 3, 64, 64)) | change
    with pytest.raises(ValueError, match=message):
        net(**{key: torch.rand(shape) for key, shape in shapes.items()})


def test_released_network_asks_for_depth():
    net = build('released')
    with pytest.raises(ValueError, match='has no depth network'):
        net(*images())
    with pytest.raises(ValueError, match="'paper' or 'released'"):
        DSRNet('authors')


@pytest.mark.slow
def test_compiles_in_one_graph():
    net = build('paper').eval()
    lr, ref = images()
    compiled = torch.compile(net, fullgraph=True, backend='aot_eager')
    with torch.no_grad():
        torch.testing.assert_close(
            compiled(lr, ref), net(lr, ref), atol=1e-4, rtol=1e-4
        )
