"""Convert the pairs of published data sets to :mod:`mmdsr.io.layout`."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from mmdsr.converters.pairs import Pair
from mmdsr.converters.summary import Summary
from mmdsr.io.depth_values import to_metres
from mmdsr.io.frames import (
    MIN_LR_SIDE,
    read_rgb,
    refuse,
    shown,
)
from mmdsr.io.layout import RefSRWriter


def pairs_to_refsr(
    pairs: list[Pair],
    out: Path | str,
    size: tuple[int, int] | None = None,
    scale: int = 4,
    depth: str = 'inverse',
    depth_scale: float | None = None,
    on_error: str = 'refuse',
    overwrite: bool = False,
    generator: dict[str, Any] | None = None,
    progress: Callable[..., Any] | None = None,
) -> Summary:
    """Write the data set of some pairs.

    Args:
        pairs: The pairs.
        out: Root of the new data set.
        size: Width and height to resize images and references to, by Pillow's
            bicubic filter. Without it, they are cropped at the right and
            bottom to a multiple of ``scale``.
        scale: Reduction factor.
        depth: Content of the depth files, ``'inverse'`` or ``'distance'``; see
            :func:`to_metres`.
        depth_scale: See :func:`to_metres`.
        on_error: What to do about images that are unreadable or too small, and
            training pairs of unequal size: ``'refuse'`` writes nothing,
            ``'skip'`` leaves the pairs out.
        overwrite: Replace an existing data set.
        generator: Further settings for the manifest.
        progress: ``progress(iterable, text, total)`` wraps an iterable to show
            its progress.

    Returns:
        Summary of what was written and what was left out.

    Raises:
        ValueError: If a file is refused, or no sample is left.
        FileExistsError: If ``out`` is in the way.
    """
    _check(pairs, size, scale, on_error)
    show = progress or (lambda items, text, total: items)
    settings = {
        'tool': 'pairs_to_refsr',
        'size': size,
        'depth': [depth, depth_scale],
        **(generator or {}),
    }
    summary = Summary(Path(out), frames=len(pairs))
    refused = []
    sources = {
        path
        for pair in pairs
        for path in (pair.hr, *pair.refs, pair.depth, pair.depth_ref)
        if path is not None
    }
    with RefSRWriter(
        out, scale, settings, overwrite, sources=sources
    ) as writer:
        for pair in show(pairs, 'Writing', len(pairs)):
            try:
                hr, meters = _load(
                    [pair.hr],
                    pair.depth,
                    size,
                    scale,
                    depth,
                    depth_scale,
                    summary,
                )
                ref, metres_ref = _load(
                    pair.refs,
                    pair.depth_ref,
                    size,
                    scale,
                    depth,
                    depth_scale,
                    summary,
                )
            except ValueError as error:
                refused.append(str(error))
                summary.drop('a file of the pair is unusable', pair.hr)
                continue
            # A test processes one pair at a time, so its sizes may differ.
            if pair.split == 'train' and ref.shape != hr.shape:
                refused.append(
                    f'{shown(pair.hr)} is {hr.shape[1]}x{hr.shape[0]}, but '
                    f'its reference is {ref.shape[1]}x{ref.shape[0]}'
                )
                summary.drop('its reference has a different size', pair.hr)
                continue
            # After the first refused pair, the others are only checked.
            if refused and on_error == 'refuse':
                continue
            writer.add(pair.split, pair.stem, hr, ref, meters, metres_ref)
            summary.samples[pair.split] += 1
            summary.without_depth += meters is None or metres_ref is None
        if on_error == 'refuse':
            refuse(
                refused,
                'Fix them, or leave the pairs out with --on-error skip.',
            )
        if not summary.samples:
            raise ValueError(f'None of the pairs is usable: {refused[0]}.')
    return summary


def _check(
    pairs: Sequence[Pair],
    size: tuple[int, int] | None,
    scale: int,
    on_error: str,
) -> None:
    if on_error not in ('refuse', 'skip'):
        raise ValueError(
            f"on_error must be 'refuse' or 'skip', not {on_error!r}."
        )
    if size is not None and (
        any(side % scale for side in size) or min(size) // scale < MIN_LR_SIDE
    ):
        raise ValueError(
            f'size must be multiples of {scale} and at least '
            f'{MIN_LR_SIDE * scale}, not {size[0]}x{size[1]}.'
        )
    seen: dict[tuple[str, str], Path] = {}
    for pair in pairs:
        key = pair.split, pair.stem
        if key in seen:
            raise ValueError(
                f'{shown(seen[key])} and {shown(pair.hr)} would both become '
                f'sample {pair.stem}: rename one.'
            )
        seen[key] = pair.hr


def _load(
    paths: Sequence[Path],
    depth_path: Path | None,
    size: tuple[int, int] | None,
    scale: int,
    kind: str,
    depth_scale: float | None,
    summary: Summary,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the image of one or more files, and its depth or None."""
    images = []
    for path in paths:
        try:
            image, note = read_rgb(path)
        except ValueError as error:
            raise ValueError(f'{shown(path)}: {error}') from error
        if note:
            summary.note(note, path)
        images.append(image)
    image = images[0] if len(images) == 1 else _stack(images)
    meters = None
    if depth_path is not None:
        meters = _fit(
            to_metres(depth_path, kind, depth_scale), image.shape[:2]
        )
    if size is not None:
        if image.shape[:2] != size[::-1]:
            summary.note(f'resized to {size[0]}x{size[1]}', paths[0])
            image = np.asarray(
                Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)
            )
            meters = meters if meters is None else _fit(meters, size[::-1])
        return image, meters
    height, width = (side - side % scale for side in image.shape[:2])
    if min(height, width) // scale < MIN_LR_SIDE:
        raise ValueError(
            f'{shown(paths[0])}: {image.shape[1]}x{image.shape[0]} is too '
            f'small; both sides must be at least {MIN_LR_SIDE * scale}'
        )
    if (height, width) != image.shape[:2]:
        summary.note(f'cropped to a multiple of {scale}', paths[0])
    if meters is not None:
        meters = meters[:height, :width]
    return image[:height, :width], meters


def _fit(meters: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Resize a depth map as inverse depth, which is linear in the image."""
    if meters.shape == size:
        return meters
    shrinks = math.prod(size) < meters.size
    with np.errstate(divide='ignore'):
        inverse = cv2.resize(
            1 / meters,
            size[::-1],
            interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
        )
        return 1 / inverse


def _stack(images: Sequence[np.ndarray]) -> np.ndarray:
    """Stack images vertically, padding narrower ones with black."""
    height, width = (max(i.shape[axis] for i in images) for axis in (0, 1))
    tall = np.zeros((len(images), height, width, 3), np.uint8)
    for cell, image in zip(tall, images, strict=True):
        cell[: image.shape[0], : image.shape[1]] = image
    return tall.reshape(-1, width, 3)
