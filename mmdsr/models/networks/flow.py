"""Pure functions on flows: warp, correlate, enlarge.

A flow ``(N, 2, H, W)`` is in pixels of its own grid and says where the
reference shows a pixel: the spot at ``(x, y)`` in LR is at
``(x, y) + flow[:, :, y, x]`` in Ref-down, both counted from the center of the
first pixel.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def pixel_grid(like: Tensor) -> Tensor:
    """Return the coordinates (x, y) of every pixel.

    Args:
        like: Any map (N, C, H, W).

    Returns:
        Coordinates (1, 2, H, W) on the same device, float32.
    """
    height, width = like.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=like.device, dtype=torch.float32),
        torch.arange(width, device=like.device, dtype=torch.float32),
        indexing='ij',
    )
    return torch.stack([x, y])[None]


def sample(image: Tensor, place: Tensor, padding: str = 'border') -> Tensor:
    """Sample a map between its pixels, bilinearly.

    Args:
        image: Map (N, C, h, w).
        place: Coordinates (x, y) in pixels of the map (N, 2, H, W).
        padding: Values outside the map: ``'border'`` repeats its edge,
            ``'zeros'`` is zero.

    Returns:
        Map (N, C, H, W).
    """
    height, width = image.shape[-2:]
    x, y = place.unbind(1)
    grid = torch.stack(
        [(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1
    )
    # Coordinates of half precision would be a quarter of a pixel off.
    dtype = torch.promote_types(image.dtype, torch.float32)
    sampled = F.grid_sample(
        image.to(dtype),
        grid.to(dtype),
        mode='bilinear',
        padding_mode=padding,
        align_corners=False,
    )
    return sampled.to(image.dtype)


def warp(image: Tensor, flow: Tensor, padding: str = 'border') -> Tensor:
    """Warp a reference to the grid of its flow.

    Args:
        image: Map (N, C, h, w), of any size.
        flow: Flow (N, 2, H, W).
        padding: See :func:`sample`.

    Returns:
        Map (N, C, H, W).

    Examples:
        A flow of one pixel to the right takes what lies there:

        >>> import torch
        >>> from mmdsr.models.networks.flow import warp
        >>> image = torch.tensor([10.0, 20.0, 30.0]).view(1, 1, 1, 3)
        >>> flow = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 1, 3)
        >>> warp(image, flow).flatten().tolist()
        [20.0, 30.0, 30.0]
    """
    return sample(image, pixel_grid(flow) + flow, padding)


def enlarge_flow(flow: Tensor, scale: int) -> Tensor:
    """Interpolate a flow to a finer grid, bilinearly.

    Args:
        flow: Flow (N, 2, H, W).
        scale: Factor of the number of rows and columns.

    Returns:
        Flow (N, 2, scale * H, scale * W), in pixels of the finer grid.

    Examples:
        >>> import torch
        >>> from mmdsr.models.networks.flow import enlarge_flow
        >>> flow = torch.tensor([0.5, -1.0]).view(1, 2, 1, 1)
        >>> enlarge_flow(flow, 4)[0, :, 0, 0].tolist()
        [2.0, -4.0]
    """
    if scale == 1:
        return flow
    flow = F.interpolate(
        flow, scale_factor=scale, mode='bilinear', align_corners=False
    )
    return flow * scale


def zoom_out(
    place: Tensor, size: Sequence[int], ref_size: Sequence[int], zoom: float
) -> Tensor:
    """Return where the grid of LR lies on a reference that is seen smaller.

    Args:
        place: Coordinates (x, y) on the grid of LR (N, 2, H, W).
        size: Height and width of LR.
        ref_size: Height and width of Ref-down.
        zoom: Factor by which Ref-down is reduced; the centers are aligned.

    Returns:
        Coordinates in pixels of Ref-down (N, 2, H, W).

    Examples:
        >>> import torch
        >>> from mmdsr.models.networks.flow import zoom_out
        >>> corner = torch.zeros(1, 2, 1, 1)
        >>> zoom_out(corner, (3, 5), (9, 15), 2.0).flatten().tolist()
        [3.0, 2.0]
    """
    (height, width), (ref_height, ref_width) = size, ref_size
    x, y = place.split(1, 1)
    x = (x - (width - 1) / 2) * zoom + (ref_width - 1) / 2
    y = (y - (height - 1) / 2) * zoom + (ref_height - 1) / 2
    return torch.cat([x, y], 1)


def inside(flow: Tensor, size: Sequence[int]) -> Tensor:
    """Return where a flow ends inside the reference.

    Args:
        flow: Flow (N, 2, H, W).
        size: Height and width of the reference, in pixels of the flow's grid.

    Returns:
        1 where it ends inside the reference, otherwise 0, (N, 1, H, W).
    """
    x, y = (pixel_grid(flow) + flow).unbind(1)
    height, width = size
    ok = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    return ok[:, None].to(flow.dtype)


def fit_reference(
    ref_down: Tensor, size: Sequence[int], padded: Sequence[int]
) -> tuple[Tensor, tuple[int, int]]:
    """Put Ref-down on the grid of LR, with aligned centers.

    A larger one is cropped, a smaller one padded, but it is never resampled,
    as its scale is meaningful.

    Args:
        ref_down: Reduced references (N, 3, h, w).
        size: Height and width of LR.
        padded: Size of the result, that of LR or larger: the padding lies
            below and to the right.

    Returns:
        References of that size, and the offset (x, y) to add to a flow on
        them to get a flow on Ref-down.

    Examples:
        >>> import torch
        >>> from mmdsr.models.networks.flow import fit_reference
        >>> ref_down = torch.zeros(1, 3, 20, 40)
        >>> fitted, offset = fit_reference(ref_down, (24, 32), (24, 32))
        >>> fitted.shape, offset
        (torch.Size([1, 3, 24, 32]), (4, -2))
    """
    height, width = ref_down.shape[-2:]
    # Half the difference, rounded down. Exported graphs round a negative
    # quotient up, so only positive numbers are divided.
    top = height // 2 - (size[0] + 1 - height % 2) // 2
    left = width // 2 - (size[1] + 1 - width % 2) // 2
    # Indexing works for any size. Separate cropping and padding would require
    # the sizes when the graph is exported.
    rows = torch.arange(padded[0], device=ref_down.device) + top
    cols = torch.arange(padded[1], device=ref_down.device) + left
    grown = ref_down[..., rows.clamp(0, height - 1), :]
    grown = grown[..., cols.clamp(0, width - 1)]
    return grown, (left, top)


def local_correlation(feat: Tensor, other: Tensor, radius: int) -> Tensor:
    """Correlate each pixel with the square around it in another map.

    Args:
        feat: Feature (N, C, H, W).
        other: Feature (N, C, H, W), already warped by the current flow. It is
            zero outside.
        radius: Radius of the square in pixels.

    Returns:
        Cosines in [-1, 1] for each displacement, row by row from the upper
        left, (N, (2 * radius + 1) ** 2, H, W).
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
    """Normalize the local brightness and contrast of the gray image.

    The camera carries its lamp, so that the brightness of a wall differs
    between frames; its texture hardly changes.

    Args:
        image: RGB image (N, 3, H, W) in [0, 1].
        window: Side of the neighborhood, odd.

    Returns:
        (gray - mean) / (deviation + 0.01), (N, 1, H, W).
    """
    gray = image.mean(1, keepdim=True)

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(
            F.pad(x, (window // 2,) * 4, mode='replicate'), window, 1
        )

    center = mean(gray)
    spread = (mean(gray * gray) - center * center).clamp_min(0)
    return (gray - center) / ((spread + 1e-8).sqrt() + 0.01)
