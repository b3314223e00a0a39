"""Create boxes and instance masks from masks of class ids."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmdsr.datasets.pipe_labels import IGNORED, PIPE_IDS
from mmdsr.extras import require
from mmdsr.io.files import write_bytes
from mmdsr.io.frames import (
    SUFFIXES,
    refuse,
    shown,
    walk_folders,
)
from mmdsr.io.images import UINT16_MODES, open_image
from mmdsr.io.listing import natural_order

MIN_AREA = 16
"""Default size in pixels of the smallest component that is an instance."""


@dataclass
class CocoSummary:
    """Summary of the masks.

    Attributes:
        out: The JSON file.
        images: Number of listed images, including those without a defect.
        instances: Number of boxes of each class.
        small: Number of components left out because they are too small.
        left_out: Problems of the masks that were left out.
    """

    out: Path
    images: int = 0
    instances: Counter = field(default_factory=Counter)
    small: int = 0
    left_out: list[str] = field(default_factory=list)


def masks_to_coco(
    images: Path | str,
    masks: Path | str,
    out: Path | str,
    ids: dict[str, int] | None = None,
    min_area: int = MIN_AREA,
    channel: int = 0,
    other: str = 'refuse',
    on_error: str = 'refuse',
    overwrite: bool = False,
    progress: Callable[..., Any] | None = None,
) -> CocoSummary:
    """Write the COCO file of a folder of masks.

    Each 8-connected component of a class becomes an instance, with its box
    ``[x, y, width, height]`` in whole pixels, its area and its run-length
    mask, which is exact. Images are numbered from 1 in natural order;
    instances are numbered from 1 in the order of images, classes and
    positions, from the top. Equal inputs give equal bytes.

    Args:
        images: Folder of the images; it may have sub-folders.
        masks: Folder of the masks, with the images' sub-folders and stems. The
            value of a pixel is the id of its class; 0 is background, 255 is
            ignored.
        out: The JSON file. File names in it are relative to ``images``.
        ids: Id of each class. Defaults to None,
            :data:`mmdsr.datasets.pipe_labels.PIPE_IDS`.
        min_area: Smallest component in pixels.
        channel: Channel that contains the ids in masks with several channels,
            0 = red to 2 = blue.
        other: What to do about values that are not ids: ``'refuse'``, or
            ``'skip'``, which treats them as background.
        on_error: What to do about images or masks that are unreadable, of
            unequal size or without a partner: ``'refuse'`` or ``'skip'``.
        overwrite: Replace an existing file.
        progress: ``progress(iterable, text, total)`` wraps an iterable to show
            its progress.

    Returns:
        Summary of the masks.

    Raises:
        ValueError: If an argument or a file is refused, or there is no
            instance at all.
        FileExistsError: If ``out`` exists.
        FileNotFoundError: If there is no such folder, or no image.
        MissingExtraError: Without pycocotools.
    """
    require('coco', 'pycocotools')
    ids = dict(PIPE_IDS if ids is None else ids)
    _check(ids, min_area, channel, other, on_error)
    images, masks, out = Path(images), Path(masks), Path(out)
    if out.is_dir() or (out.exists() and not overwrite):
        raise FileExistsError(
            f'{out} already exists: allow overwriting (--overwrite) or choose '
            'another name.'
        )
    show = progress or (lambda items, text, total: items)
    summary = CocoSummary(out)
    problems: list[str] = []
    coco: dict[str, Any] = {
        'info': {'description': 'Made from masks by mmdsr.'},
        'licenses': [],
        'images': [],
        'annotations': [],
        'categories': [
            {'id': number, 'name': name, 'supercategory': 'defect'}
            for name, number in ids.items()
        ],
    }
    pairs = _pairs(images, masks, problems)
    for image, mask in show(pairs, 'Reading', len(pairs)):
        try:
            values = _read_mask(image, mask, ids, channel, other)
        except ValueError as error:
            problems.append(str(error))
            continue
        number = len(coco['images']) + 1
        coco['images'].append(
            {
                'id': number,
                'file_name': image.relative_to(images).as_posix(),
                'width': values.shape[1],
                'height': values.shape[0],
            }
        )
        for name, annotation in _instances(values, ids, min_area, summary):
            coco['annotations'].append(
                {
                    'id': len(coco['annotations']) + 1,
                    'image_id': number,
                    **annotation,
                }
            )
            summary.instances[name] += 1
    if on_error == 'refuse':
        refuse(problems, 'Fix them, or leave them out with --on-error skip.')
    summary.left_out = problems
    summary.images = len(coco['images'])
    if not coco['annotations']:
        raise ValueError(
            f'No mask in {masks} has a component of any class: the ids are '
            + ', '.join(f'{name}={number}' for name, number in ids.items())
            + f', and the smallest area is {min_area}. Give the ids that the '
            'masks use.'
        )
    write_bytes(out, (json.dumps(coco, indent=1) + '\n').encode())
    return summary


def components(
    mask: np.ndarray, min_area: int = 1
) -> tuple[list[np.ndarray], int]:
    """List the 8-connected components of a mask.

    Args:
        mask: ``(H, W)`` bool.
        min_area: Smallest component in pixels.

    Returns:
        Masks ``(H, W)`` bool in the order of their first pixels from the top,
        and the number of components that are too small.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        np.ascontiguousarray(mask, np.uint8), connectivity=8
    )
    areas = stats[1:count, cv2.CC_STAT_AREA]
    # OpenCV may number components by blocks; the first pixel is well defined.
    found, first = np.unique(labels, return_index=True)
    order = [label for label in found[np.argsort(first)] if label > 0]
    kept = [labels == n for n in order if areas[n - 1] >= min_area]
    return kept, len(order) - len(kept)


def _instances(
    values: np.ndarray,
    ids: dict[str, int],
    min_area: int,
    summary: CocoSummary,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield class and annotation of each component of a mask."""
    from pycocotools.mask import encode

    for name, number in ids.items():
        kept, small = components(values == number, min_area)
        summary.small += small
        for mask in kept:
            coded = encode(np.asfortranarray(mask, np.uint8))
            yield (
                name,
                {
                    'category_id': number,
                    'bbox': list(cv2.boundingRect(mask.astype(np.uint8))),
                    'area': int(mask.sum()),
                    'iscrowd': 0,
                    'segmentation': {
                        'size': [int(side) for side in coded['size']],
                        'counts': coded['counts'].decode('ascii'),
                    },
                },
            )


def _read_mask(
    image: Path, mask: Path, ids: dict[str, int], channel: int, other: str
) -> np.ndarray:
    """Read the ids of a mask that fits its image."""
    try:
        size = open_image(image).size
    except ValueError as error:
        raise ValueError(f'{shown(image)}: {error}') from error
    try:
        picture = open_image(mask)
    except ValueError as error:
        raise ValueError(f'{shown(mask)}: {error}') from error
    if picture.size != size:
        raise ValueError(
            f'{shown(mask)} is {picture.width}x{picture.height}, but its '
            f'image is {size[0]}x{size[1]}'
        )
    if picture.mode not in ('1', 'L', 'P', 'LA', 'RGB', 'RGBA', *UINT16_MODES):
        raise ValueError(
            f'{shown(mask)} has the mode {picture.mode!r}, which cannot '
            'contain ids'
        )
    values = np.asarray(picture)
    if values.ndim == 3:
        values = values[..., channel if values.shape[2] >= 3 else 0]
    known = [0, IGNORED, *ids.values()]
    wrong = np.setdiff1d(values, known)
    if wrong.size and other == 'refuse':
        raise ValueError(
            f'{shown(mask)} contains {wrong[:5].tolist()}, which are not ids; '
            'give the ids with --classes, or treat others as background with '
            '--other skip'
        )
    return values


def _pairs(
    images: Path, masks: Path, problems: list[str]
) -> list[tuple[Path, Path]]:
    """Pair images and masks by sub-folder and stem, in natural order."""
    one, other = _list(images), _list(masks)
    if not one:
        raise FileNotFoundError(f'{images} contains no images.')
    for name in one:
        if name not in other:
            problems.append(f'{shown(one[name])} has no mask in {masks}')
    for name in other:
        if name not in one:
            problems.append(f'{shown(other[name])} has no image in {images}')
    return [(path, other[name]) for name, path in one.items() if name in other]


def _list(root: Path) -> dict[str, Path]:
    if not root.is_dir():
        raise FileNotFoundError(f'There is no folder {root}.')
    found: dict[str, Path] = {}
    for folder in walk_folders(root):
        for path in folder.iterdir():
            if (
                path.suffix.lower() not in SUFFIXES
                or path.name.startswith('.')
                or path.is_dir()
            ):
                continue
            name = path.relative_to(root).with_suffix('').as_posix()
            if name in found:
                raise ValueError(
                    f'{shown(path)} has the stem of '
                    f'{shown(found[name].name)}: remove one.'
                )
            found[name] = path
    return {name: found[name] for name in natural_order(found)}


def _check(
    ids: dict[str, int], min_area: int, channel: int, other: str, on_error: str
) -> None:
    numbers = list(ids.values())
    if not numbers or len(set(numbers)) != len(numbers):
        raise ValueError(f'Every class needs a different id, not {ids}.')
    if not all(0 < number < 65536 and number != IGNORED for number in numbers):
        raise ValueError(
            f'Ids must be from 1 to 65535 and not {IGNORED}, not {numbers}.'
        )
    if min_area < 1:
        raise ValueError(f'min_area must be >= 1, not {min_area}.')
    if channel not in (0, 1, 2):
        raise ValueError(f'channel must be 0, 1 or 2, not {channel}.')
    for name, value in (('other', other), ('on_error', on_error)):
        if value not in ('refuse', 'skip'):
            raise ValueError(
                f"{name} must be 'refuse' or 'skip', not {value!r}."
            )
