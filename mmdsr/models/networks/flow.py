"""Flow as pure functions: warp, correlate, enlarge.

A flow ``(N, 2, H, W)`` is in pixels of its own grid and says where the
reference shows a pixel: what LR has at ``(x, y)`` is in Ref-down at
``(x, y) + flow[:, :, y, x]``, both counted from the center of the first
pixel.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def pixel_grid(like: Tensor) -> Tensor:
    """Return the coordinates (x, y) of every pixel.

    Args:
        like (Tensor): Any map (N, C, H, W).

    Returns:
        Tensor: Coordinates (1, 2, H, W) on its device, float32.
    """
    height, width = like.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=like.device, dtype=torch.float32),
        torch.arange(width, device=like.device, dtype=torch.float32),
        indexing='ij',
    )
    return torch.stack([x, y])[None]


def sample(image: Tensor, place: Tensor, padding: str = 'border') -> Tensor:
    """Read a map at places between its pixels, bilinearly.

    Args:
        image (Tensor): Map (N, C, h, w).
        place (Tensor): Coordinates (x, y) in its pixels (N, 2, H, W).
        padding (str): ``'border'`` repeats the edge outside, ``'zeros'``
            does not. Defaults to 'border'.

    Returns:
        Tensor: Map (N, C, H, W).
    """
    height, width = image.shape[-2:]
    x, y = place.unbind(1)
    grid = torch.stack(
        [(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1
    )
    return F.grid_sample(
        image,
        grid.to(image.dtype),
        mode='bilinear',
        padding_mode=padding,
        align_corners=False,
    )


def warp(image: Tensor, flow: Tensor, padding: str = 'border') -> Tensor:
    """Bring a reference to the grid of its flow.

    Args:
        image (Tensor): Map (N, C, h, w), of any size.
        flow (Tensor): Flow (N, 2, H, W).
        padding (str): As of :func:`sample`.

    Returns:
        Tensor: Map (N, C, H, W).
    """
    return sample(image, pixel_grid(flow) + flow, padding)


def enlarge_flow(flow: Tensor, scale: int) -> Tensor:
    """Bring a flow to a finer grid, bilinearly.

    Args:
        flow (Tensor): Flow (N, 2, H, W).
        scale (int): How many times as many rows and columns.

    Returns:
        Tensor: Flow (N, 2, scale * H, scale * W), in pixels of that grid.
    """
    if scale == 1:
        return flow
    flow = F.interpolate(
        flow, scale_factor=scale, mode='bilinear', align_corners=False
    )
    return flow * scale


def inside(flow: Tensor, size: tuple[int, int]) -> Tensor:
    """Tell which pixels the reference has, by the flow.

    Args:
        flow (Tensor): Flow (N, 2, H, W).
        size (tuple[int, int]): Height and width of the reference, in pixels
            of the flow's grid.

    Returns:
        Tensor: 1 where the place is on the reference, else 0, (N, 1, H, W).
    """
    x, y = (pixel_grid(flow) + flow).unbind(1)
    height, width = size
    ok = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    return ok[:, None].to(flow.dtype)


def fit_reference(
    ref_down: Tensor, size: tuple[int, int], padded: tuple[int, int]
) -> tuple[Tensor, tuple[int, int]]:
    """Put Ref-down on LR's grid, centers on each other.

    A larger one is cut, a smaller one padded, never resampled: the scale of
    what it shows is meant.

    Args:
        ref_down (Tensor): Reduced references (N, 3, h, w).
        size (tuple[int, int]): Height and width of LR.
        padded (tuple[int, int]): Size wanted, LR's or larger: what is added
            lies below and to the right.

    Returns:
        tuple[Tensor, tuple[int, int]]: References of that size, and what
        (x, y) to add to a flow on them to make it one on Ref-down.
    """
    height, width = ref_down.shape[-2:]
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    # By index, for an exported graph knows no sizes: cutting and padding
    # would have to be told apart beforehand.
    rows = torch.arange(padded[0], device=ref_down.device) + top
    cols = torch.arange(padded[1], device=ref_down.device) + left
    grown = ref_down[..., rows.clamp(0, height - 1), :]
    grown = grown[..., cols.clamp(0, width - 1)]
    return grown, (left, top)


def local_correlation(feat: Tensor, other: Tensor, radius: int) -> Tensor:
    """Cosine of each pixel with a square of pixels around it in another map.

    Args:
        feat (Tensor): Feature (N, C, H, W).
        other (Tensor): Feature (N, C, H, W), already warped by the flow so
            far. Outside of it everything is zero.
        radius (int): Pixels in each direction.

    Returns:
        Tensor: Cosine in [-1, 1] for each displacement, row by row from the
        upper left, (N, (2 * radius + 1) ** 2, H, W).
    """
    height, width = feat.shape[-2:]
    feat = F.normalize(feat, dim=1, eps=1e-4)
    padded = F.pad(F.normalize(other, dim=1, eps=1e-4), (radius,) * 4)
    return torch.stack(
        [
            (feat * padded[..., y : y + height, x : x + width]).sum(1)
            for y in range(2 * radius + 1)
            for x in range(2 * radius + 1)
        ],
        dim=1,
    )


def even_light(image: Tensor, window: int = 9) -> Tensor:
    """Remove the lamp: local brightness and contrast of the gray image.

    The camera carries its lamp, so that the same wall has another brightness
    in each frame; its texture hardly changes.

    Args:
        image (Tensor): RGB image (N, 3, H, W) in [0, 1].
        window (int): Side of the neighborhood, odd. Defaults to 9.

    Returns:
        Tensor: (gray - mean) / (deviation + 0.01), (N, 1, H, W).
    """
    gray = image.mean(1, keepdim=True)

    def mean(x):
        return F.avg_pool2d(
            F.pad(x, (window // 2,) * 4, mode='replicate'), window, 1
        )

    center = mean(gray)
    spread = (mean(gray * gray) - center * center).clamp_min(0)
    return (gray - center) / ((spread + 1e-8).sqrt() + 0.01)
