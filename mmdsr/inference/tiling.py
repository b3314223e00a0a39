"""Cut an image into tiles and join the results without a seam.

Tiles start at multiples of the network's block size, so that its blocks are
those of the whole image. Neighbors overlap by at least ``overlap`` pixels.
Their results are blended by weights that rise across the middle half of the
overlap; the outer quarter, which depends on the edge of the tile, has weight
0.

Each tile gets the part of the reference at the same place, extended by half a
tile on each side; of its own enlargement, it gets exactly that place. Cost and
memory then depend on the tile, not on the image. Content that has moved
farther between the two is not found. A network that searches from the center
(DSRNet-X) gets the part at the same place without the extension; with a
reference, its tiles overlap by at least a quarter of their side.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

#: Windows of the reference start at multiples of this, so that a reduction by
#: 4, and the pyramid of the encoder, align as on the whole reference.
REF_GRID = 16
#: The first row or column, and the one after the last.
Span: TypeAlias = tuple[int, int]


class Tile(NamedTuple):
    """One tile of an image.

    Args:
        y: First row and the one after the last.
        x: First column and the one after the last.
    """

    y: Span
    x: Span


def grid(multiple: int, scale: int, centered: bool) -> int:
    """Return the divisor of the start of each tile.

    Windows of the reference start at multiples of :data:`REF_GRID`, and for a
    network that searches from the center at the same place as the tile.

    Args:
        multiple: Divisor that the network needs.
        scale: Scale of the network.
        centered: Whether it searches from the center.

    Returns:
        The divisor in LR pixels.
    """
    return max(multiple, REF_GRID // scale) if centered else multiple


def check_tiling(tile: int, overlap: int, multiple: int) -> None:
    """Refuse tiles that cannot be made.

    Args:
        tile: Side of a tile in LR pixels.
        overlap: Minimum overlap of neighbors in pixels.
        multiple: Divisor of the start of each tile.

    Raises:
        ValueError: If the overlap leaves no step between two tiles.
    """
    if overlap < 0:
        raise ValueError(f'overlap must be >= 0, not {overlap}.')
    if tile - overlap < multiple:
        raise ValueError(
            f'tile={tile} with overlap={overlap} leaves no space: tile must '
            f'be at least {overlap + multiple} (overlap plus the block size '
            f'of {multiple} pixels).'
        )


def make_tiles(
    height: int, width: int, tile: int | None, overlap: int, multiple: int
) -> list[Tile]:
    """Cover an image with tiles.

    Args:
        height: Rows of the image.
        width: Columns of the image.
        tile: Largest side of a tile; ``None`` for one tile.
        overlap: Minimum overlap of neighbors in pixels.
        multiple: Divisor of the start of each tile.

    Returns:
        The tiles, row by row.

    Examples:
        >>> from mmdsr.inference.tiling import make_tiles
        >>> [tile.x for tile in make_tiles(64, 200, 96, 16, 8)]
        [(0, 96), (80, 176), (104, 200)]
    """
    rows = _spans(height, tile or height, overlap, multiple)
    columns = _spans(width, tile or width, overlap, multiple)
    return [Tile(y, x) for y in rows for x in columns]


def _spans(length: int, tile: int, overlap: int, multiple: int) -> list[Span]:
    if length <= tile:
        return [(0, length)]
    step = (tile - overlap) // multiple * multiple
    last = -(-(length - tile) // multiple) * multiple
    starts = [*range(0, last, step), last]
    return [(start, min(start + tile, length)) for start in starts]


def reference_window(
    tile: Tile,
    size: Sequence[int],
    ref_size: Sequence[int],
    find: Callable[[Span, int, int], Span],
) -> Tile:
    """Return the window of the reference that belongs to a tile.

    Args:
        tile: The tile.
        size: Height and width of the image.
        ref_size: Height and width of its reference.
        find: Returns the window along one axis, of the span of the tile and
            the lengths of image and reference: :func:`proportional` or
            :func:`from_center`.

    Returns:
        Rows and columns of the reference; all of it if the tile is the whole
        image.
    """
    rows, columns = (
        (0, full) if span == (0, length) else find(span, length, full)
        for span, length, full in zip(tile, size, ref_size, strict=True)
    )
    return Tile(rows, columns)


def proportional(
    span: Span, length: int, ref_length: int, margin: int
) -> Span:
    """Window along one axis if the reference shows as much as the image.

    Args:
        span: Span of the tile.
        length: Length of the image.
        ref_length: Length of the reference.
        margin: Pixels of the image to add on each side.

    Returns:
        The window, within the reference.
    """
    ratio = ref_length / length
    start = max(0, int((span[0] - margin) * ratio))
    stop = min(ref_length, -int(-(span[1] + margin) * ratio // 1))
    return (start // REF_GRID * REF_GRID, stop)


def from_center(span: Span, length: int, ref_length: int, scale: int) -> Span:
    """Window along one axis for a network that searches from the center.

    Such a network compares image and reference with their centers aligned and
    at their own scales, and so it has to be with tile and window.

    Args:
        span: Span of the tile.
        length: Length of the image.
        ref_length: Length of the reference.
        scale: Pixels of the reference per pixel of the image.

    Returns:
        The window, which may reach beyond the reference.
    """
    offset = (ref_length - scale * length) // 2
    return (scale * span[0] + offset, scale * span[1] + offset)


def crop(image: Tensor, tile: Tile) -> Tensor:
    """Cut a tile out.

    Args:
        image: Image (C, H, W), or several (K, C, H, W).
        tile: The tile.

    Returns:
        A view of the image.
    """
    return image[..., slice(*tile.y), slice(*tile.x)]


def crop_padded(image: Tensor, tile: Tile) -> Tensor:
    """Cut a tile out that may reach beyond the image.

    There, the edge is repeated: a hard edge to black would be taken for a
    part of the scene. A tile with nothing of the image is black.

    Args:
        image: Image (C, H, W), or several (K, C, H, W).
        tile: The tile.

    Returns:
        The tile; a view of the image if it lies within.
    """
    size = image.shape[-2:]
    sides = list(zip(tile, size, strict=True))
    if all(start >= 0 and stop <= side for (start, stop), side in sides):
        return crop(image, tile)
    if any(stop <= 0 or start >= side for (start, stop), side in sides):
        height, width = (stop - start for start, stop in tile)
        return image.new_zeros(*image.shape[:-2], height, width)
    rows, columns = (
        torch.arange(start, stop, device=image.device).clamp(0, side - 1)
        for (start, stop), side in sides
    )
    return image[..., rows[:, None], columns]


class Canvas:
    """Blends tiles into a uint8 image.

    Only the rows that later tiles can still change are held as floats, so
    that a large image needs one byte per value.

    Args:
        tiles: Result of :func:`make_tiles`.
        size: Height and width of the image.
        scale: Scale of the results.
        overlap: See :func:`make_tiles`.
        device: Device of the results.
        channels: Channels of the image. Defaults to 3.
    """

    def __init__(
        self,
        tiles: Sequence[Tile],
        size: Sequence[int],
        scale: int,
        overlap: int,
        device: torch.device,
        channels: int = 3,
    ) -> None:
        self.scale = scale
        height, width = (side * scale for side in size)
        self._image = torch.empty(
            channels, height, width, dtype=torch.uint8, device=device
        )
        rows = max(tile.y[1] - tile.y[0] for tile in tiles) * scale
        self._band = torch.zeros(channels, rows, width, device=device)
        self._top = 0
        self._shares = [
            _shares({tile[axis] for tile in tiles}, scale, overlap, device)
            for axis in (0, 1)
        ]

    def add(self, tile: Tile, result: Tensor) -> None:
        """Blend a tile in.

        Args:
            tile: The next tile, row by row.
            result: The enlarged tile (C, h * scale, w * scale) in 0..1.
        """
        first = tile.y[0] * self.scale
        if first > self._top:
            self._finish(first)
        share = torch.outer(self._shares[0][tile.y], self._shares[1][tile.x])
        rows = slice(first - self._top, first - self._top + result.shape[1])
        columns = slice(*(side * self.scale for side in tile.x))
        self._band[:, rows, columns] += result * share

    def image(self) -> Tensor:
        """Return the whole image, once all tiles are in.

        Returns:
            The image (C, height * scale, width * scale) in uint8.
        """
        self._finish(self._image.shape[1])
        return self._image

    def _finish(self, stop: int) -> None:
        """Round the rows above ``stop``; no later tile touches them."""
        count = stop - self._top
        self._image[:, self._top : stop] = to_bytes(self._band[:, :count])
        kept = self._band[:, count:].clone()
        self._band.zero_()
        self._band[:, : kept.shape[1]] = kept
        self._top = stop


def to_bytes(image: Tensor) -> Tensor:
    """Round an image to uint8.

    Args:
        image: Any shape, in 0..1; values beyond are clipped.

    Returns:
        The image in uint8, 0..255.
    """
    return (image * 255).clamp_(0, 255).round_().byte()


def _shares(
    spans: Iterable[Span], scale: int, overlap: int, device: torch.device
) -> dict[Span, Tensor]:
    """Return the weights of each span along a side; they add up to 1."""
    length = max(stop for _, stop in spans)
    ramps = {
        span: _ramp(span, length, scale, overlap, device) for span in spans
    }
    total = torch.zeros(length * scale, device=device)
    for (start, stop), ramp in ramps.items():
        total[start * scale : stop * scale] += ramp
    return {
        (start, stop): ramp / total[start * scale : stop * scale]
        for (start, stop), ramp in ramps.items()
    }


def _ramp(
    span: Span, length: int, scale: int, overlap: int, device: torch.device
) -> Tensor:
    """Return weights along a side: 1, falling towards inner edges."""
    count = (span[1] - span[0]) * scale
    weights = torch.ones(count, device=device)
    dead = overlap * scale // 4
    rise = overlap * scale - 2 * dead
    if not overlap:
        return weights
    steps = torch.arange(count, device=device)
    edge = ((steps + 0.5 - dead) / rise).clamp(0, 1)
    if span[0] > 0:
        weights *= edge
    if span[1] < length:
        weights *= edge.flip(0)
    return weights
