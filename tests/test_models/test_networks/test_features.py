"""Features that distillation taps."""

import pytest
import torch

from mmdsr.models.networks import DSRNet, MASASRNet, RefEncoder

SIZES = dict(channels=8, decoder_blocks=(1, 1, 1, 1, 1, 1))


def _net(kind, blocks=(2, 1, 3)):
    torch.manual_seed(0)
    if kind == 'masa':
        return MASASRNet(encoder_blocks=blocks, **SIZES)
    depth_net = dict(type='mmdsr.DepthUNet', base_channels=8)
    return DSRNet(encoder_blocks=blocks, depth_net=depth_net, **SIZES)


@pytest.mark.parametrize('kind', ['dsrnet', 'masa'])
@torch.no_grad()
def test_block_features(kind):
    net = _net(kind).eval()
    lr, ref = torch.rand(1, 3, 17, 24), torch.rand(1, 3, 64, 64)
    plain = net(lr, ref)
    levels = net.explain(lr, ref)
    blocks = net.explain(lr, ref, feature_level='block')
    for out in (levels, blocks):
        assert torch.equal(out.sr, plain)
    pairs = [(levels.feats, blocks.feats)]
    if kind == 'dsrnet':
        pairs.append((levels.depth_feats, blocks.depth_feats))
    for scale, block in pairs:
        assert len(block) == 6
        # The last block of a level is the level.
        for level, last in zip(scale, (1, 2, 5), strict=True):
            assert torch.equal(level, block[last])
        assert not torch.equal(block[0], block[1])


@pytest.mark.parametrize('kind', ['dsrnet', 'masa'])
@pytest.mark.parametrize('level', ['scale', 'block'])
@torch.no_grad()
def test_widths_are_known_without_running(kind, level):
    net = _net(kind, (0, 1, 2))
    out = net.explain(
        torch.rand(1, 3, 16, 16), torch.rand(1, 3, 64, 64), feature_level=level
    )
    image, depth = net.feature_channels(level)
    assert image == [feat.shape[1] for feat in out.feats]
    if kind == 'dsrnet':
        assert depth == [feat.shape[1] for feat in out.depth_feats]
    else:
        assert depth is None
    assert len(image) == (3 if level == 'scale' else 4)


def test_unknown_level():
    with pytest.raises(ValueError, match="'scale' or 'block'"):
        RefEncoder().feature_channels('layer')
    lr, ref = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 64, 64)
    with pytest.raises(ValueError, match="'scale' or 'block'"):
        _net('masa').explain(lr, ref, feature_level='layer')
