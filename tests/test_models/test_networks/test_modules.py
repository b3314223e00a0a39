"""Encoders, depth network, fusion, decoder and discriminator."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmdsr.models.networks import (
    DRAM,
    SAM,
    DepthEncoder,
    DepthFusion,
    DepthUNet,
    RefDecoder,
    RefEncoder,
    SharedDepthFusion,
    VGGStyleDiscriminator,
)
from mmdsr.models.networks.blocks import (
    ResBlock,
    conv3x3,
    deconv3x3,
    init_carry,
    init_refsr_weights,
    init_upsample,
    level_widths,
)


def count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_res_block_is_identity_plus_branch():
    block = ResBlock(4)
    x = torch.randn(2, 4, 9, 7)
    branch = block.conv2(block.conv1(x).clamp_min(0))
    torch.testing.assert_close(block(x), x + branch)


@pytest.mark.parametrize(
    ('encoder', 'params'),
    [
        (RefEncoder(num_blocks=(4, 4, 4)), 961_920),
        (RefEncoder(num_blocks=(2, 2, 2)), 518_784),
        (DepthEncoder(num_blocks=(4, 4, 4)), 960_768),
        (DepthEncoder(num_blocks=(2, 2, 2)), 517_632),
    ],
)
def test_encoder_has_the_size_of_table_1(encoder, params):
    assert count(encoder) == params


def test_encoder_levels():
    encoder = RefEncoder(3, 8, (1, 2, 1))
    x = torch.rand(2, 3, 24, 16)
    feats = encoder(x)
    assert [f.shape[2:] for f in feats] == [(24, 16), (12, 8), (6, 4)]
    (alone,) = encoder(x, levels=1)
    torch.testing.assert_close(alone, feats[0])
    with pytest.raises(ValueError, match='three numbers'):
        RefEncoder(num_blocks=(4, 4))


def test_residual_blocks_start_near_the_identity():
    block = RefEncoder(3, 64, (1, 1, 1)).stages[1].blocks[0]
    std = 0.1 * 0.5 * np.sqrt(2 / (9 * 64))
    for conv in (block.conv1, block.conv2):
        assert conv.weight.std().item() == pytest.approx(std, rel=0.02)
        assert conv.bias.abs().max() == 0


def test_a_fresh_encoder_sees_detail_not_brightness():
    conv = RefEncoder(3, 16, (0, 0, 0)).stages[0].conv
    image = torch.rand(1, 3, 12, 12)
    inner = (slice(None), slice(None), slice(1, -1), slice(1, -1))
    torch.testing.assert_close(
        conv(image + 0.3)[inner], conv(image)[inner], atol=1e-5, rtol=0
    )
    assert conv(image)[inner].std() > 1


def test_init_carry_passes_the_named_parts_on():
    conv = conv3x3(12, 4)
    torch.nn.init.zeros_(conv.bias)
    init_carry(conv, parts=(0, 2), noise=0)
    x = torch.randn(1, 12, 5, 6)
    torch.testing.assert_close(conv(x), (x[:, :4] + x[:, 8:]) / 2)


def test_init_carry_between_maps_of_other_widths():
    conv = conv3x3(5, 4)
    torch.nn.init.zeros_(conv.bias)
    init_carry(conv, parts=(1,), noise=0, widths=(2, 3))
    x = torch.randn(1, 5, 5, 6)
    out = conv(x)
    torch.testing.assert_close(out[:, :3], x[:, 2:])
    assert out[:, 3].abs().max() == 0


def test_level_widths():
    assert level_widths(8) == (8, 8, 8)
    assert level_widths([8, 16, 40]) == (8, 16, 40)
    for wrong in ((8, 16), (8, 16, 0), -1):
        with pytest.raises(ValueError, match='one width, or those'):
            level_widths(wrong)


def test_one_convolution_for_all_levels_needs_one_width():
    assert count(SharedDepthFusion((8, 8, 8))) == count(SharedDepthFusion(8))
    with pytest.raises(ValueError, match="variant='paper'"):
        SharedDepthFusion((4, 8, 8))


def test_init_upsample_interpolates_linearly():
    deconv = deconv3x3(2, 2)
    torch.nn.init.zeros_(deconv.bias)
    init_upsample(deconv, gain=1, noise=0)
    ramp = torch.arange(5.0).expand(1, 2, 5, 5)
    out = deconv(ramp)[..., :-1, :-1]
    torch.testing.assert_close(
        out[0, 0, 0], torch.arange(0, 4.5, 0.5), atol=1e-6, rtol=0
    )


def unexplained(decoder):
    """Share of LR's features that is in no linear mix of the last ones."""
    feats = [
        F.interpolate(torch.rand(1, width, 8, 8), size=32 // s, mode='bicubic')
        for width, s in zip(decoder.widths, (1, 2, 4), strict=True)
    ]
    warped = [
        torch.zeros(1, width, 32 * s, 32 * s)
        for width, s in zip(decoder.widths[::-1], (1, 2, 4), strict=True)
    ]
    last = {}
    decoder.blocks_x4.register_forward_hook(
        lambda _, __, out: last.update(out=out.detach())
    )
    residual = decoder(feats, warped)
    x = last['out'][0].flatten(1).T.double()
    x = torch.cat([x - x.mean(0), torch.ones(len(x), 1)], 1)
    y = F.interpolate(feats[0], scale_factor=4, mode='bilinear')
    y = y[0].flatten(1).T.double()
    left = y - x @ torch.linalg.lstsq(x, y).solution
    return (left.var() / y.var()).item(), residual.abs().mean().item()


@pytest.mark.parametrize('channels', [8, (8, 16, 24)])
def test_detail_of_lr_is_in_reach_of_a_fresh_decoders_last_layer(channels):
    decoder = RefDecoder(channels, (1, 1, 1, 2, 1, 1))
    lost, residual = unexplained(decoder)
    # Training begins at the bicubic image.
    assert residual < 0.02
    # A plain random decoder hides the features.
    init_refsr_weights(decoder)
    lost_by_chance, _ = unexplained(decoder)
    assert lost < 0.8 * lost_by_chance


@pytest.mark.parametrize('upsample', ['deconv', 'resize'])
@pytest.mark.parametrize('size', [(16, 16), (17, 31), (33, 50), (80, 112)])
def test_depth_unet_takes_any_size(size, upsample):
    net = DepthUNet(8, upsample=upsample)
    image = torch.rand(1, 3, *size)
    depth = net(image)
    assert depth.shape == (1, 1, *size)
    depth.mean().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_depth_unet_size_and_limits():
    assert count(DepthUNet()) == 1_942_577
    assert count(DepthUNet(64)) == 31_037_633
    with pytest.raises(ValueError, match='at least 16x16'):
        DepthUNet(8)(torch.rand(1, 3, 15, 20))
    with pytest.raises(ValueError, match='multiple of groups'):
        DepthUNet(12)
    with pytest.raises(ValueError, match="'deconv' or 'resize'"):
        DepthUNet(8, upsample='nearest')


def test_resize_convolutions_leave_no_grain():
    """On a flat image, the pixels of a cell come out alike."""

    def grain(upsample):
        net = DepthUNet(8, upsample=upsample)
        # Without the skips, which carry the image's own detail.
        x = torch.rand(1, 16, 1, 1).expand(1, 16, 12, 12)
        out = net.ups[-1](x)[..., 4:-4, 4:-4]
        return (out - out.mean((2, 3), keepdim=True)).abs().max()

    assert grain('resize') < 1e-6
    assert grain('deconv') > 0.05


def test_depth_unet_is_the_same_in_training_and_evaluation():
    net = DepthUNet(8)
    image = torch.rand(1, 3, 32, 48)
    training = net.train()(image)
    torch.testing.assert_close(net.eval()(image), training)
    batch = torch.cat([image, torch.rand_like(image)])
    torch.testing.assert_close(net(batch)[:1], training)


def test_depth_fusion_is_eq_3_from_coarse_to_fine():
    fusion = DepthFusion(4)
    feats = [torch.randn(2, 4, 8 // s, 12 // s) for s in (1, 2, 4)]
    depths = [torch.randn(2, 4, 8 // s, 12 // s) for s in (1, 2, 4)]

    def conv(layer, *parts):
        x = np.concatenate([p.detach().numpy() for p in parts], 1)
        x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        weight = layer.weight.detach().numpy()
        out = sum(
            np.einsum(
                'nchw,oc->nohw',
                x[:, :, i : i + x.shape[2] - 2, j : j + x.shape[3] - 2],
                weight[:, :, i, j],
            )
            for i in range(3)
            for j in range(3)
        )
        return torch.from_numpy(np.maximum(out, 0)).float()

    def deconv(layer, x):
        n, _, h, w = x.shape
        weight = layer.weight.detach().numpy()
        # Each pixel is spread over a 3x3 patch around its place on the
        # grid of twice the size.
        out = np.zeros((n, 4, 2 * h + 2, 2 * w + 2))
        for y in range(h):
            for x_ in range(w):
                out[:, :, 2 * y : 2 * y + 3, 2 * x_ : 2 * x_ + 3] += np.einsum(
                    'nc,coij->noij', x[:, :, y, x_], weight
                )
        out = out[:, :, 1 : 2 * h + 1, 1 : 2 * w + 1]
        return torch.from_numpy(np.maximum(out, 0)).float()

    g3 = conv(fusion.conv3, feats[2], depths[2])
    u2 = deconv(fusion.deconv3, g3.numpy())
    g2 = conv(fusion.conv2, u2, feats[1], depths[1])
    u1 = deconv(fusion.deconv2, g2.numpy())
    g1 = conv(fusion.conv1, u1, feats[0], depths[0])
    for fused, slow in zip(fusion(feats, depths), (g1, g2, g3), strict=True):
        torch.testing.assert_close(fused.detach(), slow)
    assert count(DepthFusion()) == 368_960


def test_shared_fusion_uses_one_convolution():
    fusion = SharedDepthFusion(4)
    feats = [torch.randn(1, 4, 8 // s, 8 // s) for s in (1, 2)]
    depths = [torch.randn(1, 4, 8 // s, 8 // s) for s in (1, 2)]
    fused = fusion(feats, depths)
    for feat, depth, out in zip(feats, depths, fused, strict=True):
        torch.testing.assert_close(
            out, fusion.conv(torch.cat([feat, depth], 1))
        )
    assert count(SharedDepthFusion()) == 73_792


def test_fresh_sam_is_adaptive_instance_normalisation():
    sam = SAM(3)
    sam.init_weights()
    x = torch.randn(2, 3, 6, 5) * 4 + 1
    warped = torch.randn(2, 3, 6, 5) * 2 - 3
    out = sam(x, warped).detach()
    for n in range(2):
        for c in range(3):
            w = warped[n, c].numpy().astype(np.float64)
            a = x[n, c].numpy().astype(np.float64)
            normed = (w - w.mean()) / np.sqrt(w.var() + 1e-5)
            slow = normed * a.std(ddof=1) + a.mean()
            np.testing.assert_allclose(out[n, c].numpy(), slow, atol=1e-5)


def test_sam_modulates_by_the_unnormalised_reference():
    sam = SAM(3)
    x, warped = torch.randn(1, 3, 8, 8), torch.randn(1, 3, 8, 8)
    hidden = F.relu(sam.conv_shared(torch.cat([x, warped], 1)))
    std = x.std((2, 3), keepdim=True)
    gamma = sam.conv_gamma(hidden) + std
    beta = sam.conv_beta(hidden) + x.mean((2, 3), keepdim=True)
    torch.testing.assert_close(
        sam(x, warped), F.instance_norm(warped) * gamma + beta
    )
    assert count(SAM(64)) == 147_648


def test_dram_aggregates_both_residuals():
    dram = DRAM(4)
    x, ref = torch.randn(1, 4, 5, 6), torch.randn(1, 4, 10, 12)
    a = F.relu(dram.up_a(F.relu(dram.down_a(ref)) - x)) + ref
    b = F.relu(dram.up_b((x - F.relu(dram.down_b(ref))) + x))
    torch.testing.assert_close(
        dram(x, ref), F.relu(dram.conv(torch.cat([a, b], 1)))
    )
    assert count(DRAM(64)) == 221_504


def test_decoder_size_and_gradients():
    assert count(RefDecoder()) == 3_066_371
    assert count(RefDecoder(64, (1, 1, 1, 6, 4, 2))) == 1_958_531
    decoder = RefDecoder(4, (1, 1, 1, 1, 1, 1))
    for p in decoder.parameters():
        torch.nn.init.normal_(p, std=0.1)
    feats = [torch.randn(1, 4, 8 // s, 8 // s) for s in (1, 2, 4)]
    warped = [torch.randn(1, 4, 8 * s, 8 * s) for s in (1, 2, 4)]
    out = decoder(feats, warped)
    assert out.shape == (1, 3, 32, 32)
    out.square().mean().backward()
    for name, p in decoder.named_parameters():
        assert p.grad.abs().max() > 0, name
    with pytest.raises(ValueError, match='six numbers'):
        RefDecoder(num_blocks=(1, 1, 1))


@pytest.mark.parametrize('size', [(32, 32), (160, 160), (65, 47)])
def test_discriminator_takes_any_size_at_batch_one(size):
    critic = VGGStyleDiscriminator(base_channels=16).train()
    image = torch.rand(1, 3, *size, requires_grad=True)
    value = critic(image)
    assert value.shape == (1, 1)
    value.sum().backward()
    assert image.grad.abs().max() > 0
    torch.testing.assert_close(critic.eval()(image), value)


def test_discriminator_limits():
    assert count(VGGStyleDiscriminator()) == 14_960_201
    with pytest.raises(ValueError, match='at least 32x32'):
        VGGStyleDiscriminator(base_channels=16)(torch.rand(1, 3, 31, 40))
    with pytest.raises(ValueError, match='multiple of 16'):
        VGGStyleDiscriminator(base_channels=24)
