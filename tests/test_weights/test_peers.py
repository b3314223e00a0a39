"""Checkpoints of other programs: read, run, or refused in one line."""

import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

pytest.importorskip('spandrel')

from spandrel.architectures.ATD import ATD
from spandrel.architectures.Compact import Compact
from spandrel.architectures.RCAN import RCAN
from spandrel.architectures.SwinIR import SwinIR

from mmdsr.errors import CheckpointError
from mmdsr.inference import SuperResolver
from mmdsr.weights.peers import PeerNet, load_weights


def rcan(scale=4, **options):
    torch.manual_seed(0)
    return RCAN(
        scale=scale, n_feats=8, n_resgroups=2, n_resblocks=1, reduction=4,
        **options,
    )  # fmt: skip


def atd():
    torch.manual_seed(0)
    return ATD(
        embed_dim=48, depths=(2,), num_heads=(4,), window_size=8,
        num_tokens=16, reducted_dim=4, convffn_kernel_size=7, mlp_ratio=1.0,
        upscale=4, upsampler='pixelshuffledirect', category_size=128,
    )  # fmt: skip


def swinir():
    torch.manual_seed(0)
    return SwinIR(
        img_size=16, upscale=4, embed_dim=12, depths=[1], num_heads=[2],
        window_size=8, upsampler='pixelshuffledirect',
    )  # fmt: skip


def compact():
    torch.manual_seed(0)
    return Compact(num_feat=8, num_conv=2, upscale=4)


@pytest.mark.parametrize('make', [rcan, atd, swinir, compact])
def test_a_checkpoint_of_another_program_enlarges(tmp_path, make):
    net = make().eval()
    path = tmp_path / 'peer.pth'
    torch.save({'params_ema': net.state_dict()}, path)
    resolver = SuperResolver(weights=path, tile=None)
    lr = torch.randint(0, 256, (3, 24, 32), dtype=torch.uint8)
    (result,) = resolver([lr])
    with torch.no_grad():
        expected = net(lr.flip(0)[None].float() / 255)[0].flip(0)
    expected = (expected.clamp(0, 1) * 255).round()
    assert result.shape == (3, 96, 128)
    assert (result - expected).abs().max() <= 1
    # Any size; a reference changes nothing.
    resolver = SuperResolver(weights=path)
    image = np.zeros((17, 21, 3), np.uint8) + 99
    alone = resolver.enhance(image)
    assert alone.shape == (68, 84, 3)
    assert np.array_equal(resolver.enhance(image, alone), alone)


def test_safetensors_and_prefixes(tmp_path):
    net = compact()
    state = {f'module.{k}': v for k, v in net.state_dict().items()}
    save_file(state, tmp_path / 'peer.safetensors')
    torch.save(state, tmp_path / 'peer.pth')
    one, other = (
        load_weights(tmp_path / f'peer{suffix}')
        for suffix in ('.safetensors', '.pth')
    )
    lr = torch.rand(1, 3, 9, 8)
    with torch.no_grad():
        assert torch.equal(one(lr), other(lr))
        assert torch.allclose(one(lr), net(lr), atol=1e-6)
    assert not any(p.requires_grad for p in one.parameters())


def test_sizes_that_a_network_needs():
    class Picky(torch.nn.Module):
        def forward(self, x):
            assert x.shape[-2:] == (16, 16)
            return torch.nn.functional.interpolate(x, scale_factor=4)

    lr = torch.rand(1, 3, 5, 11)
    result = PeerNet(Picky(), minimum=12, multiple=8, square=True)(lr)
    expected = torch.nn.functional.interpolate(lr, scale_factor=4)
    assert torch.equal(result, expected)


def damaged():
    state = compact().state_dict()
    state['body.2.weight'] = state['body.2.weight'][:, :4]
    return state


@pytest.mark.parametrize(
    ('state', 'message'),
    [
        (lambda: rcan(2).state_dict(), 'enlarges by 2: use its x4 weights'),
        (lambda: {'a': torch.zeros(2)}, 'It is not a network that spandrel'),
        (damaged, 'do not fit'),
        (lambda: rcan(n_colors=1, norm=False).state_dict(), '1 channels'),
        (lambda: {'generator.x': torch.zeros(2)}, 'with its config'),
    ],
)
def test_unusable_files_are_refused(tmp_path, state, message):
    path = tmp_path / 'peer.pth'
    torch.save(state(), path)
    with pytest.raises(CheckpointError, match=message) as caught:
        SuperResolver(weights=path)
    assert '\n' not in str(caught.value)


def test_code_in_a_file_does_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (tmp_path / 'touched').touch, ()

    path = tmp_path / 'peer.pth'
    torch.save({'params': compact().state_dict(), 'x': Evil()}, path)
    with pytest.raises(CheckpointError, match='does not need'):
        SuperResolver(weights=path)
    assert not (tmp_path / 'touched').exists()


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match='no weights at'):
        load_weights(tmp_path / 'gone.pth')
    (tmp_path / 'text.pth').write_text('no weights')
    with pytest.raises(CheckpointError, match='cannot be read'):
        load_weights(tmp_path / 'text.pth')
    with pytest.raises(CheckpointError, match='gone'):
        load_weights('gone')


def test_without_spandrel_the_extra_is_named(tmp_path, monkeypatch):
    path = tmp_path / 'peer.pth'
    torch.save(compact().state_dict(), path)
    monkeypatch.setitem(sys.modules, 'spandrel', None)
    with pytest.raises(CheckpointError, match=r"install 'mmdsr\[peers") as err:
        load_weights(path)
    assert '\n' not in str(err.value)
