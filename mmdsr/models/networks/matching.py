r"""Pure functions of the reference matching module DRIMM (Eq. 5 to 7).

All sizes are in pixels of the LR or the Ref-down grid. A *block* is one of
the :math:`K` non-overlapping parts :math:`B_{LR}^k` of the LR feature, a
*patch* is a 3x3 window of it, a *window* is the part
:math:`B_{Ref\downarrow}^k` of Ref-down that a block is compared with. Blocks
are numbered row by row. A *match map* holds, for every LR pixel, the row and
the column of the center of its best patch in Ref-down.

Nothing here loops over blocks or pixels. The use of a match map is in
:mod:`mmdsr.models.networks.transfer`.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

#: Smallest norm by which a patch is divided; a flat black patch scores 0.
EPS = 1e-6


class BlockGrid(NamedTuple):
    """How a feature map is cut into blocks.

    Args:
        rows: Blocks from top to bottom.
        cols: Blocks from left to right.
        height: Height of a block.
        width: Width of a block.
    """

    rows: int
    cols: int
    height: int
    width: int


def block_grid(height: int, width: int, block_size: int) -> BlockGrid:
    """Cut a map into blocks of about ``block_size`` pixels.

    Args:
        height: Height of the map.
        width: Width of the map.
        block_size: Desired side of a block.

    Returns:
        The grid.

    Raises:
        ValueError: If equal blocks do not cover the map.

    Examples:
        A side that is not a multiple gets larger blocks, not more of them:

        >>> from mmdsr.models.networks.matching import block_grid
        >>> block_grid(16, 20, 8)
        BlockGrid(rows=2, cols=2, height=8, width=10)
    """
    rows, cols = height // block_size, width // block_size
    if not rows or not cols or height % rows or width % cols:
        raise ValueError(
            f'a map of {height}x{width} cannot be cut into equal blocks of '
            f'about {block_size}: pad it to multiples of {block_size}.'
        )
    return BlockGrid(rows, cols, height // rows, width // cols)


def crop_diameter(
    ref_size: Sequence[int], grid: BlockGrid, crop_ratio: float
) -> tuple[int, int]:
    r"""Return the candidate positions per axis, :math:`d_y` and :math:`d_x`.

    :math:`d = 2 \lfloor \rho \lfloor W_r / 2 p \rfloor \rfloor + 1` with
    ``p`` blocks along the axis, limited so that a window, which is one pixel
    larger on every side, fits into Ref-down.

    Args:
        ref_size: Height and width of Ref-down, >= 3.
        grid: The blocks of LR.
        crop_ratio: Window size over block size, the rho above.

    Returns:
        Odd diameters, vertical and horizontal.

    Examples:
        >>> from mmdsr.models.networks import matching
        >>> grid = matching.block_grid(32, 32, 8)
        >>> matching.crop_diameter((64, 64), grid, crop_ratio=1.5)
        (25, 25)

        Never more than fits into Ref-down:

        >>> matching.crop_diameter((16, 64), grid, crop_ratio=8)
        (13, 61)
    """
    diameters = []
    for side, blocks in zip(ref_size, (grid.rows, grid.cols), strict=True):
        diameter = 2 * int(side // (2 * blocks) * crop_ratio) + 1
        largest = side - 2 if side % 2 else side - 3
        diameters.append(max(1, min(diameter, largest)))
    return diameters[0], diameters[1]


def _box_sum(x: Tensor, dilation: int = 1, padding: int = 0) -> Tensor:
    """Sum a one-channel map over 3x3 (dilated) neighborhoods."""
    ones = x.new_ones(1, 1, 3, 3)
    return F.conv2d(x, ones, padding=padding, dilation=dilation)


def coarse_scores(
    lr_feat: Tensor,
    ref_down_feat: Tensor,
    grid: BlockGrid,
    dilations: Sequence[int] = (1,),
) -> Tensor:
    """Compare the center patch of each block with all of Ref-down (Eq. 5).

    The patch is correlated with Ref-down as a convolution kernel; cosines
    are summed over the dilations. Ref-down is zero-padded.

    Args:
        lr_feat: LR feature (N, C, H, W).
        ref_down_feat: Ref-down feature (N, C, h, w).
        grid: The blocks of LR, K in all.
        dilations: Distances between the nine taps of a patch.

    Returns:
        Relevances (N, K, h, w), at most ``len(dilations)``.
    """
    n, c, h, w = ref_down_feat.shape
    cells = lr_feat.reshape(
        n, c, grid.rows, grid.height, grid.cols, grid.width
    )
    energy = ref_down_feat.square().sum(1, keepdim=True)
    stacked = ref_down_feat.reshape(1, n * c, h, w)
    score = ref_down_feat.new_zeros(())
    for step in dilations:
        taps = [
            cells[
                :,
                :,
                :,
                grid.height // 2 + dy * step,
                :,
                grid.width // 2 + dx * step,
            ]
            for dy in (-1, 0, 1)
            for dx in (-1, 0, 1)
        ]
        patch = torch.stack(taps, dim=-1).flatten(2, 3)  # (N, C, K, 9)
        patch = patch.transpose(1, 2)
        norm = patch.square().sum((2, 3), keepdim=True)
        norm = norm.clamp_min(EPS**2).sqrt()
        kernel = (patch / norm).reshape(-1, c, 3, 3)
        response = F.conv2d(
            stacked, kernel, padding=step, dilation=step, groups=n
        ).view(n, -1, h, w)
        ref_norm = _box_sum(energy, step, step).clamp_min(EPS**2).sqrt()
        score = score + response / ref_norm
    return score


def coarse_match(
    lr_feat: Tensor,
    ref_down_feat: Tensor,
    grid: BlockGrid,
    dilations: Sequence[int] = (1,),
) -> tuple[Tensor, Tensor]:
    """Find the center patch of each block in the whole of Ref-down.

    Args:
        lr_feat: See :func:`coarse_scores`.
        ref_down_feat: See :func:`coarse_scores`.
        grid: See :func:`coarse_scores`.
        dilations: See :func:`coarse_scores`.

    Returns:
        Best position as ``row * w + column`` (N, K), int64, and its score
        (N, K), at most ``len(dilations)``.

    Examples:
        Ref-down is LR, moved down by 3 and right by 5; so are the matches:

        >>> import torch
        >>> from mmdsr.models.networks.matching import block_grid, coarse_match
        >>> _ = torch.manual_seed(0)
        >>> lr_feat = torch.randn(1, 8, 24, 24)
        >>> ref_down_feat = lr_feat.roll((3, 5), (2, 3))
        >>> grid = block_grid(24, 24, 12)
        >>> index, score = coarse_match(lr_feat, ref_down_feat, grid)
        >>> [divmod(place, 24) for place in index[0].tolist()]
        [(9, 11), (9, 23), (21, 11), (21, 23)]
    """
    score = coarse_scores(lr_feat, ref_down_feat, grid, dilations)
    best, index = score.flatten(2).max(dim=2)
    return index, best


def window_start(
    index: Tensor, ref_size: Sequence[int], diameter: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Place the window of each block around its coarse match.

    A window that would leave Ref-down is shifted inside, never cropped.

    Args:
        index: Coarse matches ``row * w + column`` (N, K).
        ref_size: Height and width of Ref-down.
        diameter: Candidates per axis; the window is two pixels larger.

    Returns:
        Top row and left column (N, K), int64.

    Examples:
        At the border the window is shifted inside:

        >>> import torch
        >>> from mmdsr.models.networks.matching import window_start
        >>> index = torch.tensor([[0 * 20 + 0, 9 * 20 + 10]])
        >>> window_start(index, (20, 20), (5, 5))
        (tensor([[0, 6]]), tensor([[0, 7]]))
    """
    (h, w), (dy, dx) = ref_size, diameter
    top = (torch.div(index, w, rounding_mode='floor') - dy // 2 - 1).clamp(
        0, h - dy - 2
    )
    left = (index % w - dx // 2 - 1).clamp(0, w - dx - 2)
    return top, left


def split_blocks(x: Tensor, grid: BlockGrid) -> Tensor:
    """Cut a map (N, H, W) into its blocks (N, K, ky, kx).

    Examples:
        >>> import torch
        >>> from mmdsr.models.networks import matching
        >>> grid = matching.block_grid(4, 4, 2)
        >>> numbers = torch.arange(16).view(1, 4, 4)
        >>> blocks = matching.split_blocks(numbers, grid)
        >>> blocks[0, 1].tolist()
        [[2, 3], [6, 7]]
        >>> torch.equal(matching.merge_blocks(blocks, grid), numbers)
        True
    """
    x = x.reshape(len(x), grid.rows, grid.height, grid.cols, grid.width)
    return x.transpose(2, 3).flatten(1, 2)


def merge_blocks(x: Tensor, grid: BlockGrid) -> Tensor:
    """Merge blocks (N, K, ky, kx) into a map (N, H, W)."""
    n = x.shape[0]
    x = x.view(n, grid.rows, grid.cols, *x.shape[-2:])
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def patch_norm(feat: Tensor, mode: str = 'constant') -> Tensor:
    """Return the norm of the 3x3 patch around each pixel.

    Args:
        feat: Feature (N, C, H, W).
        mode: Values outside: ``'constant'``, zeros, or ``'replicate'``, the
            edge.

    Returns:
        Norm (N, 1, H, W), at least :data:`EPS`.
    """
    energy = F.pad(feat.square().sum(1, keepdim=True), (1,) * 4, mode=mode)
    # Clamping inside the root keeps its gradient finite.
    return _box_sum(energy).clamp_min(EPS**2).sqrt()


def fine_scores(
    lr_feat: Tensor,
    ref_down_feat: Tensor,
    grid: BlockGrid,
    top: Tensor,
    left: Tensor,
    diameter: tuple[int, int],
    max_elements: int = 2**22,
) -> Iterator[Tensor]:
    """Compare the patch of every LR pixel with its block's window (Eq. 6).

    The inner product of two 3x3 patches is the sum of nine products of
    pixels, so pixels are multiplied once and the products are summed along
    the common diagonal. Division by the norm of the LR patch would not
    change which candidate wins and is omitted.

    Args:
        lr_feat: LR feature (N, C, H, W).
        ref_down_feat: Ref-down feature (N, C, h, w).
        grid: The blocks of LR, K in all.
        top: First row of each window (N, K).
        left: First column of each window (N, K).
        diameter: Candidates per axis.
        max_elements: Maximum number of products of pixels that are held at a
            time: blocks are processed in chunks.

    Yields:
        For the blocks of a chunk (b, ky, kx, dy, dx): the relevances of the
        candidates of each pixel, times the norm of its patch.
    """
    n, c, h, w = ref_down_feat.shape
    (dy, dx), ky, kx = diameter, grid.height, grid.width
    # One pixel of context around each block, replicated at the border.
    padded = F.pad(lr_feat, (1, 1, 1, 1), mode='replicate')
    blocks = padded.unfold(2, ky + 2, ky).unfold(3, kx + 2, kx)
    blocks = blocks.permute(0, 2, 3, 4, 5, 1).reshape(-1, (ky + 2), kx + 2, c)
    rows = ref_down_feat.permute(0, 2, 3, 1).reshape(-1, c)
    inverse_norm = patch_norm(ref_down_feat).reciprocal().flatten()

    device = lr_feat.device
    sample = torch.arange(n, device=device)[:, None] * (h * w)
    corner = (sample + top * w + left).flatten()
    offset_y = torch.arange(dy + 2, device=device)[:, None] * w
    offset = offset_y + torch.arange(dx + 2, device=device)

    total, size = len(blocks), (ky + 2) * (kx + 2) * (dy + 2) * (dx + 2)
    chunk = max(1, min(total, max_elements // size))
    for first in range(0, total, chunk):
        part = slice(first, first + chunk)
        index = corner[part, None, None] + offset
        window = rows[index].flatten(1, 2)
        product = torch.bmm(
            blocks[part].flatten(1, 2), window.transpose(1, 2)
        ).view(-1, ky + 2, kx + 2, dy + 2, dx + 2)
        along_x = product[:, :, :kx, :, :dx] + product[:, :, 1:-1, :, 1:-1]
        along_x += product[:, :, 2:, :, 2:]
        score = along_x[:, :ky, :, :dy] + along_x[:, 1:-1, :, 1:-1]
        score += along_x[:, 2:, :, 2:]
        score *= inverse_norm[index[:, None, None, 1:-1, 1:-1]]
        yield score


def fine_match(
    lr_feat: Tensor,
    ref_down_feat: Tensor,
    grid: BlockGrid,
    top: Tensor,
    left: Tensor,
    diameter: tuple[int, int],
    max_elements: int = 2**22,
) -> tuple[Tensor, Tensor]:
    """Match the patch of every LR pixel inside its block's window.

    Args:
        lr_feat: See :func:`fine_scores`.
        ref_down_feat: See :func:`fine_scores`.
        grid: See :func:`fine_scores`.
        top: See :func:`fine_scores`.
        left: See :func:`fine_scores`.
        diameter: See :func:`fine_scores`.
        max_elements: See :func:`fine_scores`.

    Returns:
        The match map: rows and columns in Ref-down (N, H, W), int64.
    """
    scores = fine_scores(
        lr_feat, ref_down_feat, grid, top, left, diameter, max_elements
    )
    winners = [score.flatten(3).argmax(dim=3) for score in scores]
    shape = len(lr_feat), -1, grid.height, grid.width
    winner, dx = torch.cat(winners).view(shape), diameter[1]
    row = torch.div(winner, dx, rounding_mode='floor') + 1
    col = winner % dx + 1
    return (
        merge_blocks(top[..., None, None] + row, grid),
        merge_blocks(left[..., None, None] + col, grid),
    )


def match_score(
    lr_feat: Tensor, ref_down_feat: Tensor, row: Tensor, col: Tensor
) -> Tensor:
    """Return the cosine of each LR patch and its match (Eq. 7).

    It has a gradient. Only the winners are computed: their gradient is that of
    the maximum, without the correlation volume.

    Args:
        lr_feat: LR feature (N, C, H, W).
        ref_down_feat: Ref-down feature (N, C, h, w).
        row: Rows of the matches (N, H, W).
        col: Columns of the matches (N, H, W).

    Returns:
        Scores (N, 1, H, W) in [-1, 1].
    """
    n, c, height, width = lr_feat.shape
    h, w = ref_down_feat.shape[-2:]
    padded = F.pad(lr_feat, (1, 1, 1, 1), mode='replicate')
    rows = ref_down_feat.permute(0, 2, 3, 1).reshape(-1, c)
    sample = torch.arange(n, device=row.device)[:, None, None] * (h * w)
    center = sample + row * w + col
    product = lr_feat.new_zeros(())
    for dy in range(3):
        for dx in range(3):
            lr_tap = padded[:, :, dy : dy + height, dx : dx + width]
            index = center + (dy - 1) * w + dx - 1
            ref_tap = rows[index.flatten()].view(n, height, width, c)
            product = product + (lr_tap.permute(0, 2, 3, 1) * ref_tap).sum(-1)
    lr_energy = _box_sum(padded.square().sum(1, keepdim=True))[:, 0]
    ref_energy = _box_sum(ref_down_feat.square().sum(1, keepdim=True), 1, 1)
    ref_energy = ref_energy.flatten()[center]
    # One root of the product: clamping inside keeps its gradient finite.
    norm = (lr_energy * ref_energy).clamp_min(EPS**2).sqrt()
    return (product / norm).unsqueeze(1)
