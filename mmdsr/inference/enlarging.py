"""One network on images of any size, in tiles, within the available memory."""

import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from mmdsr.errors import ResultError
from mmdsr.inference import budget, tiling
from mmdsr.inference.references import enlarged
from mmdsr.inference.sources import Network
from mmdsr.models.networks.padding import MIN_SIZE

PRECISIONS = {'fp32': None, 'bf16': torch.bfloat16, 'fp16': torch.float16}
#: What a tile sees of its own enlargement on each side, in pixels of LR. A
#: match lies at the same place, and a reference of that width gives the
#: windows of the whole image: with 16 or 32 more pixels, the mean difference
#: from it rose from 0.06 to 0.11 of 255 (256x256 pixels in tiles of 128).
_OWN_MARGIN = 0
#: Beyond it a result is no image: black and white are 0 and 1.
_LARGEST = 100
#: A tile and its part of the reference, RGB (3, h, w) in 0..1.
Part: TypeAlias = tuple[Tensor, Tensor]


@dataclass
class Settings:
    """How a network is run.

    Args:
        scale: How much it enlarges.
        multiple: What the start of a tile must be divisible by.
        tile: Side of a tile, ``'auto'``, or ``None`` for the whole image.
        overlap: Pixels that neighboring tiles share at least.
        batch: Images or tiles at a time, ``None`` to choose.
        precision: One of :data:`PRECISIONS`.
        centered: Whether the network searches for LR from the center of the
            reference outwards: a tile then sees the part of the reference at
            its own place, and its neighbors take over where the match leaves
            it.
    """

    scale: int
    multiple: int
    tile: str | int | None
    overlap: int
    batch: int | None
    precision: str
    centered: bool = False


@dataclass
class ImagePair:
    """An image and its reference, of which parts are taken.

    Args:
        image: BGR (3, H, W) in 0..255.
        reference: Likewise; several of one size (K, 3, Hr, Wr) for a network
            that takes them; or what replaces it: ``'upscaled'``, ``'self'``,
            or ``'none'`` for a network that does without one: it gets LR
            itself instead.
        name: What to call the image in messages.
    """

    image: Tensor
    reference: Tensor | str
    name: str = 'an image'

    def __post_init__(self) -> None:
        # Grown before cutting, as the network refuses smaller images.
        self.lr = _grow(self.image)
        if isinstance(self.reference, Tensor):
            self.reference = _grow(self.reference.to(self.image.device))
        elif self.reference == 'self':
            self.reference = self.lr

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of what the network sees."""
        height, width = self.lr.shape[-2:]
        return height, width

    @property
    def count(self) -> int:
        """How many references there are; 1 for what replaces one."""
        if isinstance(self.reference, Tensor) and self.reference.ndim == 4:
            return len(self.reference)
        return 1

    def ref_size(self, scale: int) -> tuple[int, int]:
        """Return height and width of the reference."""
        if isinstance(self.reference, Tensor):
            height, width = self.reference.shape[-2:]
            return height, width
        height, width = self.size
        if self.reference == 'none':
            return height, width
        return height * scale, width * scale

    def margin(self, side: int, centered: bool = False) -> int:
        """Return how far a tile sees its reference on each side.

        Args:
            side: Largest side of the tiles.
            centered: See :class:`Settings`. Defaults to False.

        Returns:
            Pixels of the image.
        """
        if centered or isinstance(self.reference, str):
            return _OWN_MARGIN
        return side // 2

    def overlap(self, side: int, settings: Settings) -> int:
        """Return how much neighboring tiles share at least.

        Args:
            side: Side of the tiles.
            settings: How the network is run.

        Returns:
            Pixels of the image.
        """
        if settings.centered and isinstance(self.reference, Tensor):
            return max(settings.overlap, side // 4)
        return settings.overlap

    def cut(self, tile: tiling.Tile, side: int, settings: Settings) -> Part:
        """Return a tile and its part of the reference, RGB in 0..1."""
        scale = settings.scale
        lr = _grow(_to_rgb(tiling.crop(self.lr, tile)))
        if isinstance(self.reference, str) and self.reference == 'none':
            return lr, lr
        window = tiling.reference_window(
            tile,
            self.size,
            self.ref_size(scale),
            self.margin(side, settings.centered),
        )
        if isinstance(self.reference, Tensor):
            ref = tiling.crop(self.reference, window)
        else:
            ref = enlarged(self.lr, window, scale)
        return lr, _grow(_to_rgb(ref))


def enlarge(
    network: Network, pairs: Sequence[ImagePair], settings: Settings
) -> list[Tensor]:
    """Enlarge images.

    Args:
        network: The network.
        pairs: Images and references.
        settings: How to run the network.

    Returns:
        BGR images (3, H, W) in uint8, ``scale`` times as large.

    Raises:
        ResultError: If the network gives values that are not an image.
        MemoryError: If there is too little memory; it says what to do.
    """
    results: dict[int, Tensor] = {}
    whole: dict[
        tuple[torch.device, tuple[int, int], tuple[int, int], int], list[int]
    ] = {}
    for number, pair in enumerate(pairs):
        tile = _choose(network, pair, settings)
        if tile is not None and max(pair.size) > tile:
            results[number] = _one(network, pair, tile, settings)
        else:
            ref_size = pair.ref_size(settings.scale)
            key = pair.lr.device, pair.size, ref_size, pair.count
            whole.setdefault(key, []).append(number)
    for (device, size, ref_size, several), numbers in whole.items():
        takes = several * budget.need(
            network, size, ref_size, settings.multiple
        )
        count = _batch(settings, device, takes)
        for start in range(0, len(numbers), count):
            part = numbers[start : start + count]
            chosen = [pairs[number] for number in part]
            images = _whole(network, chosen, settings)
            for number, image in zip(part, images, strict=True):
                results[number] = image
    return [results[number] for number in range(len(pairs))]


def _choose(
    network: Network, pair: ImagePair, settings: Settings
) -> int | None:
    """Choose the side of the tiles of an image; None for the whole image."""
    if not isinstance(settings.tile, str):
        return settings.tile
    scale = settings.scale
    height, width = (side * scale for side in pair.size)
    # The result, the copy with four bytes per pixel that a writer makes, and
    # the rows in which tiles are blended.
    rows = min(height, budget.LARGEST * scale)
    reserve = (3 + 4) * height * width + 2 * 3 * 4 * rows * width
    limit = budget.budget(pair.lr.device, reserve)

    def takes(size: Sequence[int]) -> float:
        margin = pair.margin(max(size), settings.centered)
        sides = zip(size, pair.size, pair.ref_size(scale), strict=True)
        seen = [
            full
            if side >= length
            else min(full, (side + 2 * margin) * full // length)
            for side, length, full in sides
        ]
        one = budget.need(network, size, seen, settings.multiple)
        return pair.count * one

    try:
        return budget.choose_tile(
            takes, pair.size, settings.overlap, settings.multiple, limit
        )
    except MemoryError as error:
        raise MemoryError(f'{pair.name}: {error}') from error


def _batch(settings: Settings, device: torch.device, takes: float) -> int:
    """Return how many images or tiles are computed at once."""
    if settings.batch is not None:
        return settings.batch
    return min(
        budget.batch_size(device), max(1, int(budget.budget(device) // takes))
    )


def _whole(
    network: Network, pairs: Sequence[ImagePair], settings: Settings
) -> list[Tensor]:
    """Enlarge whole images of one size at once."""
    side = max(pairs[0].size)
    height, width = pairs[0].size
    place = tiling.Tile((0, height), (0, width))
    parts: list[Part] | None = None
    results: Tensor | None = None
    try:
        parts = [pair.cut(place, side, settings) for pair in pairs]
        results = _forward(network, parts, settings)
    except (RuntimeError, MemoryError) as error:
        _refuse_others(error, pairs[0], settings)
    if results is None:
        # Not above, as the error holds the tensors of the failed attempt.
        parts = None
        if len(pairs) > 1:
            return [_whole(network, [pair], settings)[0] for pair in pairs]
        tile = _less(side, settings)
        _say_less(pairs[0], tile)
        return [_one(network, pairs[0], tile, settings)]
    return [
        _finish(tiling.to_bytes(_checked(result, pair)), pair, settings.scale)
        for pair, result in zip(pairs, results, strict=True)
    ]


def _one(
    network: Network, pair: ImagePair, tile: int, settings: Settings
) -> Tensor:
    """Enlarge an image in tiles; in smaller ones if memory runs out."""
    while True:
        try:
            return _in_tiles(network, pair, tile, settings)
        except (RuntimeError, MemoryError) as error:
            _refuse_others(error, pair, settings)
            smaller = _less(tile, settings)
            if smaller >= tile:
                raise MemoryError(
                    f'{pair.name}: there is too little memory even for tiles '
                    f'of {tile} pixels'
                ) from error
        tile = smaller
        _say_less(pair, tile)


def _less(side: int, settings: Settings) -> int:
    """Halve the side of a tile, but not below the smallest tiles."""
    multiple = settings.multiple
    return max(
        budget.smallest(settings.overlap, multiple),
        side // 2 // multiple * multiple,
    )


def _say_less(pair: ImagePair, tile: int) -> None:
    warnings.warn(
        f'{pair.name}: memory ran out, so it is processed in tiles of {tile} '
        'pixels.',
        stacklevel=2,
    )


def _refuse_others(
    error: Exception, pair: ImagePair, settings: Settings
) -> None:
    """Raise what is not a lack of memory, or cannot be helped."""
    # CUDA, the CPU allocator and C++ raise RuntimeError.
    if not isinstance(error, MemoryError) and not any(
        sign in str(error) for sign in ('memory', 'bad_alloc')
    ):
        raise error
    if settings.tile == 'auto' and settings.batch is None:
        return
    height, width = pair.size
    raise MemoryError(
        f'There is too little memory for {pair.name} of {width}x{height} '
        'pixels with these settings: leave out tile (--tile) and max_batch '
        '(--batch-size), so that they are chosen to fit the memory, or lower '
        'them.'
    ) from error


def _in_tiles(
    network: Network, pair: ImagePair, tile: int, settings: Settings
) -> Tensor:
    scale = settings.scale
    overlap = pair.overlap(tile, settings)
    tiles = tiling.make_tiles(*pair.size, tile, overlap, _grid(settings))
    canvas = tiling.Canvas(tiles, pair.size, scale, overlap, pair.lr.device)
    waiting: list[tuple[tiling.Tile, Part]] = []

    def flush() -> None:
        if not waiting:
            return
        places, parts = zip(*waiting, strict=True)
        waiting.clear()
        for place, result in zip(
            places, _forward(network, parts, settings), strict=True
        ):
            height, width = (stop - start for start, stop in place)
            # A tile at the edge may have been grown.
            result = result[:, : height * scale, : width * scale]
            canvas.add(place, _checked(result, pair))

    for place in tiles:
        part = pair.cut(place, tile, settings)
        shapes = [image.shape for image in part]
        # The canvas takes tiles in order, and a batch those of one shape.
        if waiting and shapes != [image.shape for image in waiting[0][1]]:
            flush()
        waiting.append((place, part))
        size, ref_size = (shape[-2:] for shape in shapes)
        takes = pair.count * budget.need(
            network, size, ref_size, settings.multiple
        )
        if len(waiting) >= _batch(settings, pair.lr.device, takes):
            flush()
    flush()
    return _finish(canvas.image(), pair, scale)


def _grid(settings: Settings) -> int:
    """Return what the start of a tile is a multiple of.

    Windows of the reference start at multiples of their own, and have to
    start where the tile does.
    """
    if settings.centered:
        return max(settings.multiple, tiling.REF_GRID // settings.scale)
    return settings.multiple


def _forward(
    network: Network, parts: Sequence[Part], settings: Settings
) -> Tensor:
    """Run the network on a batch of LR images and references."""
    lr, ref = map(torch.stack, zip(*parts, strict=True))
    dtype = PRECISIONS[settings.precision]
    kind = lr.device.type
    with torch.autocast(kind, enabled=False):
        chosen = torch.autocast(kind, dtype) if dtype else nullcontext()
        with chosen:
            return network.to(lr.device)(lr, ref).float()


def _checked(result: Tensor, pair: ImagePair) -> Tensor:
    """Refuse what is not an image before anything is made of it."""
    # NaN compares as false.
    if not bool((result.abs() <= _LARGEST).all()):
        raise ResultError(
            f'The network gives values for {pair.name} that are not colors '
            '(not finite, or far too large): its weights are damaged or do '
            "not fit. Use other weights; with half precision, try 'fp32'."
        )
    return result


def _finish(image: Tensor, pair: ImagePair, scale: int) -> Tensor:
    """Cut off what the image was padded by, and turn RGB into BGR."""
    height, width = (side * scale for side in pair.image.shape[-2:])
    return image[:, :height, :width].flip(0)


def _to_rgb(image: Tensor) -> Tensor:
    """Turn BGR in 0..255 into RGB in 0..1."""
    return image.flip(-3).float().clamp(0, 255) / 255


def _grow(image: Tensor) -> Tensor:
    """Replicate the last row and column up to the networks' minimum size."""
    bottom, right = (max(0, MIN_SIZE - side) for side in image.shape[-2:])
    if not bottom and not right:
        return image
    batch = image.float().reshape(-1, *image.shape[-3:])
    grown = F.pad(batch, (0, right, 0, bottom), mode='replicate')
    shape = *image.shape[:-2], *grown.shape[-2:]
    return grown.reshape(shape).to(image.dtype)
