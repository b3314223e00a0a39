"""One network on images of any size, in tiles, within the memory there is."""

import warnings
from contextlib import nullcontext

import torch

from mmdsr.errors import ResultError
from mmdsr.inference import budget, tiling
from mmdsr.inference.pairs import Enlarged

PRECISIONS = {'fp32': None, 'bf16': torch.bfloat16, 'fp16': torch.float16}
#: Beyond it a result is no image: black and white are 0 and 1.
_LARGEST = 100


def enlarge(network, pairs, settings):
    """Enlarge images.

    Args:
        network (RefSRNet or DSRNetX): The network.
        pairs (Sequence[ImagePair]): Images and references.
        settings (Settings): How.

    Returns:
        list[Enlarged]: The images, ``scale`` times as large.

    Raises:
        ResultError: If the network gives values that are no image.
        MemoryError: If there is too little memory; says what to do.
    """
    results = [None] * len(pairs)
    whole = {}
    for number, pair in enumerate(pairs):
        tile = _choose(network, pair, settings)
        if tile is not None and max(pair.size) > tile:
            results[number] = _one(network, pair, tile, settings)
        else:
            key = pair.lr.device, pair.size, pair.ref_size(settings.scale)
            whole.setdefault(key, []).append(number)
    for (device, size, ref_size), numbers in whole.items():
        takes = budget.need(network, size, ref_size, settings.multiple)
        count = _batch(settings, device, takes)
        for start in range(0, len(numbers), count):
            part = numbers[start : start + count]
            chosen = [pairs[number] for number in part]
            images = _whole(network, chosen, settings)
            for number, image in zip(part, images, strict=True):
                results[number] = image
    return results


def _choose(network, pair, settings):
    """Choose the side of the tiles of an image; None for the whole."""
    if settings.tile != 'auto':
        return settings.tile
    scale = settings.scale
    height, width = (side * scale for side in pair.size)
    # The result, the copy with four bytes a pixel that a writer makes, and
    # the rows in which tiles are blended.
    rows = min(height, budget.LARGEST * scale)
    reserve = (3 + 4) * height * width + 2 * 3 * 4 * rows * width
    limit = budget.budget(pair.lr.device, reserve)

    def takes(size):
        margin = pair.margin(max(size), settings.centered)
        sides = zip(size, pair.size, pair.ref_size(scale), strict=True)
        seen = [
            full
            if side >= length
            else min(full, (side + 2 * margin) * full // length)
            for side, length, full in sides
        ]
        return budget.need(network, size, seen, settings.multiple)

    try:
        return budget.choose_tile(
            takes, pair.size, settings.overlap, settings.multiple, limit
        )
    except MemoryError as error:
        raise MemoryError(f'{pair.name}: {error}') from error


def _batch(settings, device, takes):
    """Return how many images or tiles are computed at once."""
    if settings.batch is not None:
        return settings.batch
    return min(
        budget.batch_size(device), max(1, int(budget.budget(device) // takes))
    )


def _whole(network, pairs, settings):
    """Enlarge whole images of one size at once."""
    side = max(pairs[0].size)
    tile = tiling.Tile(*((0, length) for length in pairs[0].size))
    results = None
    try:
        parts = [pair.cut(tile, side, settings) for pair in pairs]
        explains = _explains(pairs, settings)
        results = _forward(network, parts, settings, explains)
    except (RuntimeError, MemoryError) as error:
        _refuse_others(error, pairs[0], settings)
    if results is None:
        # Here, as the error holds the tensors of the failed attempt.
        parts = None
        if len(pairs) > 1:
            return [_whole(network, [pair], settings)[0] for pair in pairs]
        tile = _less(side, settings)
        _say_less(pairs[0], tile)
        return [_one(network, pairs[0], tile, settings)]
    return [
        _finish(
            tiling.to_bytes(_checked(result, pair)),
            confidence if confidence is None else tiling.to_bytes(confidence),
            pair,
            settings.scale,
        )
        for pair, (result, confidence) in zip(pairs, results, strict=True)
    ]


def _one(network, pair, tile, settings):
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


def _less(side, settings):
    """Halve the side of a tile, as far as tiles can be made."""
    multiple = settings.multiple
    return max(
        budget.smallest(settings.overlap, multiple),
        side // 2 // multiple * multiple,
    )


def _say_less(pair, tile):
    warnings.warn(
        f'{pair.name}: memory ran out, so it is done in tiles of {tile} '
        'pixels.',
        stacklevel=2,
    )


def _refuse_others(error, pair, settings):
    """Raise what is no lack of memory, or cannot be helped."""
    # CUDA, the CPU's allocator and C++ raise RuntimeError.
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
        '(--batch-size), so that they are chosen by the memory, or lower them.'
    ) from error


def _in_tiles(network, pair, tile, settings):
    scale = settings.scale
    overlap = pair.overlap(tile, settings)
    tiles = tiling.make_tiles(*pair.size, tile, overlap, _grid(settings))
    canvas = tiling.Canvas(tiles, pair.size, scale, overlap, pair.lr.device)
    explains = _explains([pair], settings)
    trust = None
    if explains:
        trust = tiling.Canvas(
            tiles, pair.size, 1, overlap, pair.lr.device, channels=1
        )
    waiting = []

    def flush():
        if not waiting:
            return
        places, parts = zip(*waiting, strict=True)
        waiting.clear()
        results = _forward(network, parts, settings, explains)
        for place, (result, confidence) in zip(places, results, strict=True):
            height, width = (stop - start for start, stop in place)
            # A tile at the edge may have been grown.
            result = result[:, : height * scale, : width * scale]
            canvas.add(place, _checked(result, pair))
            if trust is not None:
                trust.add(place, confidence[:, :height, :width])

    for place in tiles:
        part = pair.cut(place, tile, settings)
        shapes = [image.shape for image in part]
        # The canvas takes them in their order, a batch those of one shape.
        if waiting and shapes != [image.shape for image in waiting[0][1]]:
            flush()
        waiting.append((place, part))
        sizes = (shape[-2:] for shape in shapes)
        takes = budget.need(network, *sizes, settings.multiple)
        if len(waiting) >= _batch(settings, pair.lr.device, takes):
            flush()
    flush()
    confidence = None if trust is None else trust.image()
    return _finish(canvas.image(), confidence, pair, scale, tile)


def _grid(settings):
    """Return what the start of a tile is a multiple of.

    Windows of the reference start at multiples of their own, and are to
    start where the tile does.
    """
    if settings.centered:
        return max(settings.multiple, tiling.REF_GRID // settings.scale)
    return settings.multiple


def _explains(pairs, settings):
    """Tell whether there is a confidence to ask the network for."""
    return settings.explain and any(pair.has_reference for pair in pairs)


def _forward(network, parts, settings, explains):
    """Run the network on a batch: RGB in 0..1, LR and reference.

    Returns:
        list[tuple[Tensor, Tensor or None]]: Image (3, H, W), and confidence
        (1, h, w) in 0..1 if the network is to explain itself.
    """
    lr, ref = map(torch.stack, zip(*parts, strict=True))
    dtype = PRECISIONS[settings.precision]
    kind = lr.device.type
    with torch.autocast(kind, enabled=False):
        chosen = torch.autocast(kind, dtype) if dtype else nullcontext()
        with chosen:
            network = network.to(lr.device)
            if not explains:
                return [(image, None) for image in network(lr, ref).float()]
            output = network.explain(lr, ref)
    # A match score may be negative: it speaks against the reference.
    confidence = output.confidence.float().clamp(0, 1).nan_to_num(0)
    return list(zip(output.sr.float(), confidence, strict=True))


def _checked(result, pair):
    """Refuse what is no image before anything is made of it."""
    # NaN compares as false.
    if not bool((result.abs() <= _LARGEST).all()):
        raise ResultError(
            f'The network gives values for {pair.name} that are no colours '
            '(not finite, or far too large): its weights are damaged or do '
            "not fit. Use other weights; with half precision try 'fp32'."
        )
    return result


def _finish(image, confidence, pair, scale, tile=None):
    """Cut off what the image was grown by, and turn RGB into BGR."""
    height, width = pair.image.shape[-2:]
    pixels = image[:, : height * scale, : width * scale].flip(0)
    # In a batch, others may have a reference.
    if confidence is None or not pair.has_reference:
        return Enlarged(pixels, None, tile)
    return Enlarged(pixels, confidence[0, :height, :width], tile)
