"""DSRNet-X in front of everything that takes a network of the package."""

import copy

import pytest
import torch
from inference_cases import noise
from mmengine.config import Config

from mmdsr.inference import SuperResolver
from mmdsr.io.checkpoint import save_weights
from mmdsr.registry import MODELS
from mmdsr.weights import load_published
from mmdsr.weights.publish import publish

NET = dict(
    type='mmdsr.DSRNetX',
    channels=8,
    num_blocks=3,
    aligner=dict(
        type='mmdsr.FlowNet',
        channels=[4, 8],
        widths=[8, 8],
        radii=[1, 1],
        repeats=[1, 1],
    ),
)


@pytest.fixture
def trained(tmp_path):
    """Config, checkpoint and network whose weights use the reference."""
    torch.manual_seed(0)
    net = MODELS.build(copy.deepcopy(NET)).eval()
    for p in net.parameters():
        torch.nn.init.normal_(p, std=0.08)
    cfg = Config(
        dict(
            experiment_name='small_x',
            model=dict(
                type='mmdsr.DSR',
                generator=copy.deepcopy(NET),
                aligner_checkpoint='/home/someone/flownet.pth',
            ),
        )
    )
    path = tmp_path / 'iter_5.pth'
    state = net.state_dict()
    save_weights({f'generator.{k}': v for k, v in state.items()}, path)
    return cfg, path, net


@torch.no_grad()
def run(net, lr, ref=None):
    """What the resolver has to give: BGR, whole numbers."""
    rgb = [i.flip(0)[None].float() / 255 for i in (lr, ref) if i is not None]
    return (net(*rgb)[0].flip(0) * 255).clamp(0, 255).round()


def picture(height, width, seed):
    generator = torch.Generator().manual_seed(seed)
    size = (3, height, width)
    return torch.randint(0, 256, size, generator=generator, dtype=torch.uint8)


def test_super_resolver(trained):
    cfg, path, net = trained
    resolver = SuperResolver(config=cfg, checkpoint=path)
    images = [picture(17, 23, 0), picture(40, 33, 1)]
    for found, image in zip(resolver(images), images, strict=True):
        assert (found - run(net, image)).abs().max() <= 1
    assert resolver.describe()['network'] == 'DSRNetX'
    tiled = SuperResolver(config=cfg, checkpoint=path, tile=32)
    (found,) = tiled([images[1]])
    assert found.shape == (3, 160, 132)
    # No tile takes what is around it for a reference.
    assert (found - run(net, images[1])).abs().max() <= 3


def test_references_from_files(trained, tmp_path):
    from PIL import Image

    cfg, path, net = trained
    lr, ref = picture(20, 24, 0), picture(90, 70, 1)
    pixels = ref.flip(0).permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(tmp_path / 'ref.png')
    resolver = SuperResolver(config=cfg, checkpoint=path, reference='file')
    (found,) = resolver([lr], [dict(ref_path=str(tmp_path / 'ref.png'))])
    assert (found - run(net, lr, ref)).abs().max() <= 1
    assert (found - run(net, lr)).abs().max() > 5


def test_published(trained, tmp_path):
    cfg, path, net = trained
    lr, ref = torch.rand(1, 3, 16, 20), torch.rand(1, 3, 64, 80)
    for file in publish(cfg, path, tmp_path / 'out'):
        loaded = load_published(file.path)
        assert torch.equal(loaded(lr, ref), net(lr, ref))
        assert torch.equal(loaded(lr), net(lr))
        assert b'someone' not in file.path.read_bytes()
    (file,) = publish(
        cfg, path, tmp_path / 'half', half=True, suffixes=['.safetensors']
    )
    resolver = SuperResolver(weights=file.path)
    image = picture(17, 23, 0)
    assert (resolver([image])[0] - run(net, image)).abs().max() <= 3


def test_preprocessor(trained):
    pytest.importorskip('mmpretrain')
    from mmdsr.preprocessors.cls import SRClsDataPreprocessor

    cfg, path, net = trained
    stage = SRClsDataPreprocessor(
        sr=dict(config=cfg, checkpoint=path), mean=[0] * 3, std=[1] * 3
    )
    image = picture(20, 24, 0)
    batch = stage(dict(inputs=[image], data_samples=None))
    assert (batch['inputs'][0] - run(net, image)).abs().max() <= 1
    assert not list(stage.parameters())


@pytest.mark.parametrize('size', [(96, 128), (24, 32)])
def test_one_of_several_references_is_one(size):
    resolver = SuperResolver(weights='dsrnet_x_nano', backend='torch')
    lr = noise(24, 32)
    one, two = noise(*size, seed=1), noise(*size, seed=2)
    ways = [one, one[None], torch.stack([one, two])]
    single, also, both = resolver.explain_pixels([lr] * 3, references=ways)
    assert torch.equal(single.pixels, also.pixels)
    assert not torch.equal(single.pixels, both.pixels)


def test_several_references_for_a_network_of_one():
    resolver = SuperResolver(weights='dsrnet_student', backend='torch')
    lr, refs = noise(32, 32), noise(128, 128)[None].repeat(2, 1, 1, 1)
    with pytest.raises(ValueError, match='takes one reference per image, not'):
        resolver.explain_pixels([lr], references=[refs])
