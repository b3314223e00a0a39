"""One network on images of any size, in tiles, within the available memory."""

import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TypeAlias

import torch
from torch import Tensor

from mmdsr.errors import ResultError
from mmdsr.inference import budget, tiling
from mmdsr.inference.pairs import Enlarged, ImagePair, Part, Settings
from mmdsr.inference.sources import Network

PRECISIONS = {'fp32': None, 'bf16': torch.bfloat16, 'fp16': torch.float16}
#: Larger values are not colors: black and white are 0 and 1.
_LARGEST = 100
#: Image (3, H, W) and, if requested, confidence (1, h, w), in 0..1.
_Raw: TypeAlias = tuple[Tensor, Tensor | None]


def enlarge(
    network: Network, pairs: Sequence[ImagePair], settings: Settings
) -> list[Enlarged]:
    """Enlarge images.

    Args:
        network: The network.
        pairs: Images and references.
        settings: How to run the network.

    Returns:
        The images, ``scale`` times as large.

    Raises:
        ResultError: If the network returns values that are not colors.
        MemoryError: If there is too little memory; the message says what to
            change.
    """
    results: dict[int, Enlarged] = {}
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
    """Choose the side of the tiles; None for the whole image at once."""
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
        inner = tiling.Tile(
            *(
                (0, full)
                if side >= full
                else ((full - side) // 2, (full + side) // 2)
                for side, full in zip(size, pair.size, strict=True)
            )
        )
        window = pair.window(inner, max(size), settings)
        seen = [stop - start for start, stop in window]
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
) -> list[Enlarged]:
    """Enlarge a batch of whole images of one size."""
    side = max(pairs[0].size)
    height, width = pairs[0].size
    place = tiling.Tile((0, height), (0, width))
    parts: list[Part] | None = None
    results: list[_Raw] | None = None
    try:
        parts = [pair.cut(place, side, settings) for pair in pairs]
        explains = _explains(pairs, settings)
        results = _forward(network, parts, settings, explains)
    except (RuntimeError, MemoryError) as error:
        _refuse_others(error, pairs[0], settings)
    if results is None:
        # Outside the handler, whose error holds the tensors of the attempt.
        parts = None
        if len(pairs) > 1:
            return [_whole(network, [pair], settings)[0] for pair in pairs]
        tile = _less(side, settings)
        _say_less(pairs[0], tile)
        return [_one(network, pairs[0], tile, settings)]
    return [
        _finish(
            tiling.to_bytes(_checked(result, pair)),
            trust if trust is None else tiling.to_bytes(trust),
            pair,
            settings.scale,
        )
        for pair, (result, trust) in zip(pairs, results, strict=True)
    ]


def _one(
    network: Network, pair: ImagePair, tile: int, settings: Settings
) -> Enlarged:
    """Enlarge an image in tiles, in smaller ones if memory runs out."""
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
    """Raise errors that smaller tiles would not prevent."""
    # CUDA, the CPU allocator and C++ report it as a RuntimeError.
    if not isinstance(error, MemoryError) and not any(
        sign in str(error) for sign in ('memory', 'bad_alloc')
    ):
        raise error
    if settings.tile == 'auto' and settings.batch is None:
        return
    height, width = pair.size
    raise MemoryError(
        f'There is too little memory for {pair.name} of {width}x{height} '
        'pixels with these settings: omit tile (--tile) and max_batch '
        '(--batch-size), so that they are chosen to fit into memory, or '
        'lower them.'
    ) from error


def _in_tiles(
    network: Network, pair: ImagePair, tile: int, settings: Settings
) -> Enlarged:
    scale = settings.scale
    overlap = pair.overlap(tile, settings)
    grid = tiling.grid(settings.multiple, settings.scale, settings.centered)
    tiles = tiling.make_tiles(*pair.size, tile, overlap, grid)
    canvas = tiling.Canvas(tiles, pair.size, scale, overlap, pair.lr.device)
    explains = _explains([pair], settings)
    trusted = None
    if explains:
        trusted = tiling.Canvas(
            tiles, pair.size, 1, overlap, pair.lr.device, channels=1
        )
    waiting: list[tuple[tiling.Tile, Part]] = []

    def flush() -> None:
        if not waiting:
            return
        places, parts = zip(*waiting, strict=True)
        waiting.clear()
        results = _forward(network, parts, settings, explains)
        for place, (result, trust) in zip(places, results, strict=True):
            height, width = (stop - start for start, stop in place)
            # A tile at the edge may have been padded.
            result = result[:, : height * scale, : width * scale]
            canvas.add(place, _checked(result, pair))
            if trusted is not None and trust is not None:
                trusted.add(place, trust[:, :height, :width])

    for place in tiles:
        part = pair.cut(place, tile, settings)
        shapes = [image.shape for image in part]
        # The canvas needs tiles in order, and a batch tiles of one shape.
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
    trust = None if trusted is None else trusted.image()
    return _finish(canvas.image(), trust, pair, scale, tile)


def _explains(pairs: Sequence[ImagePair], settings: Settings) -> bool:
    """Return whether the network is to compute a confidence."""
    return settings.explain and any(pair.has_reference for pair in pairs)


def _forward(
    network: Network, parts: Sequence[Part], settings: Settings, explains: bool
) -> list[_Raw]:
    """Run the network on a batch of LR images and references."""
    lr, ref = map(torch.stack, zip(*parts, strict=True))
    dtype = PRECISIONS[settings.precision]
    kind = lr.device.type
    with torch.autocast(kind, enabled=False):
        chosen = torch.autocast(kind, dtype) if dtype else nullcontext()
        with chosen:
            network = network.to(lr.device)
            if not explains:
                return [(image, None) for image in network(lr, ref).float()]
            # The base class of the networks does not declare it.
            output = network.explain(lr, ref)  # type: ignore[operator]
    # A match score may be negative: no confidence at all.
    trust = output.confidence.float().clamp(0, 1).nan_to_num(0)
    return list(zip(output.sr.float(), trust, strict=True))


def _checked(result: Tensor, pair: ImagePair) -> Tensor:
    """Refuse a result that is not an image before it is used."""
    # Comparisons with NaN are false.
    if not bool((result.abs() <= _LARGEST).all()):
        raise ResultError(
            f'The network returns values for {pair.name} that are not colors '
            '(not finite, or far too large): its weights are damaged or do '
            "not fit. Use other weights, or with half precision try 'fp32'."
        )
    return result


def _finish(
    image: Tensor,
    trust: Tensor | None,
    pair: ImagePair,
    scale: int,
    tile: int | None = None,
) -> Enlarged:
    """Remove the padding of the image and convert RGB to BGR."""
    height, width = pair.image.shape[-2:]
    pixels = image[:, : height * scale, : width * scale].flip(0)
    # Only other images of the batch may have a reference.
    if trust is None or not pair.has_reference:
        return Enlarged(pixels, None, tile)
    return Enlarged(pixels, trust[0, :height, :width], tile)
