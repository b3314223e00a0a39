"""Cutting an image into tiles and joining the results without a seam.

Tiles start at multiples of the network's block size, so that its blocks are
those of the whole image. Neighbours share at least ``overlap`` pixels. Their
results are blended there by weights that rise across the middle half of what
they share: the outer quarter, which has seen the edge of the tile rather
than what is behind it, does not count.

Each tile sees the part of the reference that lies at the same place, half a
tile wider on each side. Cost and memory then depend on the tile, not on the
image; what has moved by more than that between the two is not found.
"""

from typing import NamedTuple

import torch

#: Windows of the reference start at multiples of this, so that reducing it
#: by 4, and the pyramid of the encoder, fall as on the whole reference.
_REF_GRID = 16


class Tile(NamedTuple):
    """One tile of an image.

    Args:
        y (tuple[int, int]): First row and the one behind the last.
        x (tuple[int, int]): First column and the one behind the last.
    """

    y: tuple
    x: tuple


def check_tiling(tile, overlap, multiple):
    """Refuse tiles that cannot be made.

    Args:
        tile (int): Side of a tile in LR pixels.
        overlap (int): Pixels that neighbours share at least.
        multiple (int): What the start of a tile must be divisible by.

    Raises:
        ValueError: If there is no room for a step between two tiles.
    """
    if overlap < 0:
        raise ValueError(f'overlap must be >= 0, not {overlap}.')
    if tile - overlap < multiple:
        raise ValueError(
            f'tile={tile} with overlap={overlap} leaves no room: tile must '
            f'be at least {overlap + multiple} (overlap plus the block size '
            f'of {multiple} pixels).'
        )


def make_tiles(height, width, tile, overlap, multiple):
    """Cover an image with tiles.

    Args:
        height (int): Rows of the image.
        width (int): Columns of the image.
        tile (int or None): Largest side of a tile; ``None`` for one tile.
        overlap (int): Pixels that neighbours share at least.
        multiple (int): What the start of a tile is divisible by.

    Returns:
        list[Tile]: The tiles, row by row.
    """
    rows = _spans(height, tile or height, overlap, multiple)
    columns = _spans(width, tile or width, overlap, multiple)
    return [Tile(y, x) for y in rows for x in columns]


def _spans(length, tile, overlap, multiple):
    if length <= tile:
        return [(0, length)]
    step = (tile - overlap) // multiple * multiple
    last = -(-(length - tile) // multiple) * multiple
    starts = [*range(0, last, step), last]
    return [(start, min(start + tile, length)) for start in starts]


def reference_window(tile, size, ref_size, margin):
    """Find the part of the reference that a tile is to see.

    Args:
        tile (Tile): The tile.
        size (Sequence[int]): Height and width of the image.
        ref_size (Sequence[int]): Height and width of its reference.
        margin (int): Pixels of the image to add on each side.

    Returns:
        Tile: Rows and columns of the reference; all of it if the tile is the
        whole image.
    """
    return Tile(
        *(
            _window(span, length, ref_length, margin)
            for span, length, ref_length in zip(
                tile, size, ref_size, strict=True
            )
        )
    )


def _window(span, length, ref_length, margin):
    if span == (0, length):
        return (0, ref_length)
    ratio = ref_length / length
    start = max(0, int((span[0] - margin) * ratio))
    stop = min(ref_length, -int(-(span[1] + margin) * ratio // 1))
    return (start // _REF_GRID * _REF_GRID, stop)


def crop(image, tile):
    """Cut a tile out.

    Args:
        image (Tensor): Image (C, H, W).
        tile (Tile): The tile.

    Returns:
        Tensor: A view of the image.
    """
    return image[:, slice(*tile.y), slice(*tile.x)]


def join(tiles, results, height, width, scale, overlap):
    """Blend the results of the tiles.

    Args:
        tiles (Sequence[Tile]): Result of :func:`make_tiles`.
        results (Sequence[Tensor]): Enlarged tiles (C, h * scale, w * scale).
        height (int): Rows of the image.
        width (int): Columns of the image.
        scale (int): How much was enlarged.
        overlap (int): As of :func:`make_tiles`.

    Returns:
        Tensor: The enlarged image (C, height * scale, width * scale).
    """
    first = results[0]
    if len(tiles) == 1:
        return first
    total = first.new_zeros(len(first), height * scale, width * scale)
    weight = first.new_zeros(height * scale, width * scale)
    for tile, result in zip(tiles, results, strict=True):
        share = torch.outer(
            _ramp(tile.y, height, scale, overlap, first),
            _ramp(tile.x, width, scale, overlap, first),
        )
        place = Tile(*((a * scale, b * scale) for a, b in tile))
        crop(total, place).add_(result * share)
        weight[slice(*place.y), slice(*place.x)] += share
    return total / weight


def _ramp(span, length, scale, overlap, like):
    """Weights along one side: 1, falling towards edges inside the image."""
    count = (span[1] - span[0]) * scale
    weights = torch.ones(count, device=like.device)
    dead = overlap * scale // 4
    rise = overlap * scale - 2 * dead
    if not overlap:
        return weights
    steps = torch.arange(count, device=like.device)
    edge = ((steps + 0.5 - dead) / rise).clamp(0, 1)
    if span[0] > 0:
        weights *= edge
    if span[1] < length:
        weights *= edge.flip(0)
    return weights
