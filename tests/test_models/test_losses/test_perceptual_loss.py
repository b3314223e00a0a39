"""The perceptual loss: Eq. 11, and what it must not do."""

import pytest
import torch
from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from mmdsr.errors import CheckpointError
from mmdsr.models.losses import PerceptualLoss


@pytest.fixture(scope='module')
def loss():
    torch.manual_seed(0)
    return PerceptualLoss(untrained=True, loss_weight=1.0)


@pytest.fixture(scope='module')
def vgg_file(tmp_path_factory):
    """A state dict as torchvision's file has it, of a short VGG19."""
    torch.manual_seed(1)
    features = make_layers(cfgs['E'])
    state = {f'features.{k}': v for k, v in features.state_dict().items()}
    state['classifier.0.weight'] = torch.zeros(2, 2)
    path = tmp_path_factory.mktemp('vgg') / 'vgg19.pth'
    torch.save(state, path)
    return path, features


def test_weights_are_required():
    with pytest.raises(ValueError, match=r'torchvision.*untrained=True'):
        PerceptualLoss()


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nothing\.pth'):
        PerceptualLoss(weights=str(tmp_path / 'nothing.pth'))


def test_download_only_on_request(monkeypatch, tmp_path):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    asked = []

    def download(url, path, digits):
        asked.append((url, digits))
        torch.save(make_layers(cfgs['E']).state_dict(), path)

    monkeypatch.setattr('torch.hub.download_url_to_file', download)
    PerceptualLoss(untrained=True)
    assert not asked
    for _ in range(2):
        PerceptualLoss(weights='torchvision')
    ((url, digits),) = asked
    assert url.endswith(f'vgg19-{digits}.pth')
    assert digits == 'dcbb9e9d'


def test_random_features_keep_their_scale():
    """Otherwise a loss of random features would have no effect."""
    torch.manual_seed(0)
    image = torch.rand(1, 3, 48, 48)
    noisy = image + 0.05 * torch.randn_like(image)
    for layer in '10', '34':
        loss = PerceptualLoss(
            layer_weights={layer: 1.0}, loss_weight=1.0, untrained=True
        )
        assert 0.01 < loss(noisy, image) < 1


def test_other_weights_are_refused(tmp_path):
    torch.save({'features.0.weight': torch.ones(2)}, tmp_path / 'x.pth')
    with pytest.raises(
        CheckpointError, match=r'x.pth.*VGG19.*0 of 32.*31 missing.*1 of anot'
    ):
        PerceptualLoss(weights=str(tmp_path / 'x.pth'))


def test_equation_11(vgg_file):
    """conv5_4 before ReLU of normalized images, mean of squares."""
    path, features = vgg_file
    loss = PerceptualLoss(weights=str(path), loss_weight=0.5)
    sr, hr = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    convs = 0
    feats = torch.cat([(sr - mean) / std, (hr - mean) / std])
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            convs += 1
        feats = layer(feats)
        if convs == 16:
            break
    expected = ((feats[:2] - feats[2:]) ** 2).mean()
    assert torch.allclose(loss(sr, hr), 0.5 * expected, rtol=1e-4)


def test_is_zero_only_for_equal_images(loss):
    image = torch.rand(1, 3, 32, 32)
    assert loss(image, image) == 0
    assert loss(image, image.flip(-1)) > 0


def test_vgg_is_hidden_and_frozen(loss):
    holder = nn.ModuleDict(dict(loss=loss))
    assert not holder.state_dict()
    assert not list(holder.parameters())
    holder.train()
    sr = torch.rand(1, 3, 32, 32, requires_grad=True)
    loss(sr, torch.rand(1, 3, 32, 32)).backward()
    assert sr.grad.abs().sum() > 0
    vgg = loss._vgg.module
    assert not vgg.training
    assert all(p.grad is None for p in vgg.parameters())


def test_runs_in_fp32_under_autocast(loss):
    sr, hr = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    with torch.autocast('cpu', torch.bfloat16):
        value = loss(sr.bfloat16(), hr)
    assert value.dtype == torch.float32
    assert torch.equal(value, loss(sr.bfloat16().float(), hr))


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs CUDA')
def test_follows_the_device():
    loss = PerceptualLoss(untrained=True).cuda()
    image = torch.rand(1, 3, 32, 32, device='cuda', requires_grad=True)
    loss(image, image.detach().flip(-1)).backward()
    assert image.grad.abs().sum() > 0


def test_options_are_checked():
    with pytest.raises(ValueError, match='criterion'):
        PerceptualLoss(untrained=True, criterion='l3')
    with pytest.raises(ValueError, match='0 to 36'):
        PerceptualLoss(untrained=True, layer_weights={'40': 1.0})
