"""Images and networks that the tests of other runtimes share."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdsr.models.networks import DSRNet, DSRNetX
from mmdsr.models.networks.padding import downscale

#: Height and width of LR, and of the reference.
SIZES = [
    ((32, 48), (128, 192)),
    ((37, 50), (150, 181)),
    ((20, 61), (64, 240)),
    ((16, 16), (97, 130)),
]


def texture(height, width, seed=0):
    """Return an image with detail of all sizes (1, 3, height, width)."""
    generator = torch.Generator().manual_seed(seed)
    image = 0.5
    for cell in (32, 16, 8, 4, 2):
        rows, cols = height // cell + 3, width // cell + 3
        noise = torch.randn(1, 3, rows, cols, generator=generator)
        layer = F.interpolate(noise, scale_factor=cell, mode='bilinear')
        image = image + 0.07 * layer[..., :height, :width]
    return image.clamp(0, 1)


def pair(size, ref_size, batch=1, count=1):
    """Return LR (N, 3, H, W) and references (N, K, 3, Hr, Wr) of one scene.

    The references show it from elsewhere, by a few pixels.
    """
    height, width = (4 * side for side in size)
    images, refs = [], []
    for number in range(batch):
        scene = texture(
            max(height, ref_size[0]) + 64,
            max(width, ref_size[1]) + 64,
            seed=number,
        )
        images.append(downscale(scene[..., 32 : 32 + height, 32 : 32 + width]))
        for shift in range(count):
            top = 32 + (height - ref_size[0]) // 2 + 3 + shift
            left = 32 + (width - ref_size[1]) // 2 - 2 - 2 * shift
            rows = (torch.arange(ref_size[0]) + top).clamp(0)
            cols = (torch.arange(ref_size[1]) + left).clamp(0)
            refs.append(scene[..., rows, :][..., cols])
    return torch.cat(images), torch.cat(refs).unflatten(0, (batch, count))


def moved(network: nn.Module) -> nn.Module:
    """Give every layer weights that do something."""
    generator = torch.Generator().manual_seed(1)
    for weight in network.parameters():
        noise = torch.randn(weight.shape, generator=generator)
        weight.data += 0.02 * noise
    return network.eval().requires_grad_(False)


def small_x(zooms=()):
    """Return a small DSRNet-X."""
    torch.manual_seed(0)
    aligner = dict(
        type='mmdsr.FlowNet',
        channels=(6, 8, 8),
        widths=(8, 8, 8),
        radii=(1, 2, 2),
        repeats=(2, 1, 1),
        zooms=zooms,
    )
    return moved(DSRNetX(channels=8, num_blocks=2, aligner=aligner))


def small_trunk(**options):
    """Return a small DSRNet-X that finds nothing in a reference."""
    torch.manual_seed(0)
    return moved(DSRNetX(channels=8, num_blocks=2, **options))


def small_dsr(**options):
    """Return a small DSRNet."""
    torch.manual_seed(0)
    return moved(
        DSRNet(
            channels=8,
            encoder_blocks=(1, 0, 0),
            decoder_blocks=(0, 0, 0, 1, 0, 0),
            depth_net=dict(type='mmdsr.DepthUNet', base_channels=8),
            **options,
        )
    )


def assert_alike(found, network, lr, ref, tolerance=1e-4):
    """Compare image and confidence with the network's.

    Where a match lies on the edge of the reference to a hair, rounding
    decides whether it counts; there and around they may differ.
    """
    refs = ref if isinstance(network, DSRNetX) else ref[:, 0]
    with torch.inference_mode():
        expected = network.explain(lr, refs)
    edge = torch.zeros(len(lr), 1, *lr.shape[-2:])
    if isinstance(network, DSRNetX):
        edge = _near_edge(expected.flow, [-(-s // 4) for s in ref.shape[-2:]])
    # The trunk sees as far as it has layers.
    spread = F.max_pool2d(edge, 31, 1, 15)
    fine = F.interpolate(spread, scale_factor=4)
    assert spread.mean() < 0.5
    for one, other, near in (
        (found[0], expected.sr, fine),
        (found[1], expected.confidence, edge),
    ):
        assert one.shape == other.shape
        worst = ((one - other).abs() * (near == 0)).max()
        assert worst <= tolerance


def _near_edge(flow: Tensor, size, hair=1e-3) -> Tensor:
    height, width = flow.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height), torch.arange(width), indexing='ij'
    )
    place = flow + torch.stack([x, y])
    near = torch.zeros(place[..., 0, :, :].shape, dtype=torch.bool)
    for axis, side in ((0, size[1]), (1, size[0])):
        for edge in (-0.5, side - 0.5):
            near |= (place[..., axis, :, :] - edge).abs() < hair
    return near.any(1, keepdim=True).float()
