"""Check that the images of a RefSR data set match, before training.

Only the headers of the files are read. Without this check, a pair that does
not match would stop the training when it is drawn, possibly hours later.
"""

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from PIL import Image

from mmdsr.datasets.refsr_dataset import RefSRDataset
from mmdsr.io.images import short_reason

_ARGUMENTS = ('data_root', 'split', 'reference', 'max_samples')
_IMAGES = ('img_path', 'gt_path', 'ref_path')
#: Transforms whose effect on the size of the images is known here.
_KNOWN = {
    'AlignRef',
    'Flip',
    'FlipTranspose',
    'LoadAlignment',
    'LoadDepth',
    'LoadFlow',
    'LoadImageFromFile',
    'PackInputs',
    'PairedRefCrop',
    'RandomTransposeHW',
    'SpoilRef',
}
# A JPEG may have an orientation tag, which readers apply.
_ORIENTATION, _TURNED = 0x112, (5, 6, 7, 8)
_WITH_ORIENTATION = ('JPEG', 'MPO', 'TIFF', 'WEBP')
_REMEDY = 'fix or remove the sample (from manifest.json, too)'

#: Sample of a data set, and width and height of an image.
_Sample = dict[str, Any]
_Size = tuple[int, int]


def check_sizes(dataset: Mapping[str, Any], batch_size: int = 1) -> None:
    """Raise an error if a pipeline cannot use the images of its data set.

    Args:
        dataset: Config of an ``mmdsr.RefSRDataset``. A pipeline with
            transforms that are not known here is not checked.
        batch_size: Batch size of the loader: a batch needs images of one size.

    Raises:
        ValueError: If an image does not fit; the message names the first one.
        FileNotFoundError: See
            :class:`mmdsr.datasets.refsr_dataset.RefSRDataset`.
    """
    steps = {
        str(step.get('type')).rpartition('.')[2]: step
        for step in dataset.get('pipeline') or ()
    }
    if not set(steps) <= _KNOWN:
        return
    samples = _list(dataset)
    sizes = _read_sizes(samples)
    crop = steps.get('PairedRefCrop')
    _check_scale(samples, sizes, crop)
    if crop is not None:
        _check_crop(samples, sizes, crop)
    if batch_size > 1:
        transposes = bool({'RandomTransposeHW', 'FlipTranspose'} & set(steps))
        # Aligned, the reference has the size of its image.
        aligned = 'AlignRef' in steps
        _check_batch(samples, sizes, crop, batch_size, transposes, aligned)


def _list(dataset: Mapping[str, Any]) -> list[_Sample]:
    arguments = {k: dataset[k] for k in _ARGUMENTS if k in dataset}
    listed = RefSRDataset(**arguments)
    return [listed.get_data_info(index) for index in range(len(listed))]


def _read_sizes(samples: list[_Sample]) -> dict[str, _Size]:
    """Map each image file to its width and height."""
    paths = {sample[key] for sample in samples for key in _IMAGES}
    # On a network drive, reading is mostly latency.
    with ThreadPoolExecutor(8) as pool:
        return dict(pool.map(_read_size, sorted(paths)))


def _read_size(path: str) -> tuple[str, _Size]:
    try:
        with Image.open(path) as image:
            width, height = image.size
            if (
                image.format in _WITH_ORIENTATION
                and image.getexif().get(_ORIENTATION) in _TURNED
            ):
                width, height = height, width
    except (OSError, ValueError, SyntaxError) as error:
        raise ValueError(
            f'{path}: {short_reason(error)}; {_REMEDY}.'
        ) from error
    return path, (width, height)


def _shown(size: _Size) -> str:
    return f'{size[0]}x{size[1]}'


def _check_scale(
    samples: list[_Sample],
    sizes: dict[str, _Size],
    crop: Mapping[str, Any] | None,
) -> None:
    """Raise an error if HR is not LR times the common scale factor."""
    if crop is None:
        factors = Counter(
            sizes[sample['gt_path']][0] // sizes[sample['img_path']][0]
            for sample in samples
        )
        scale = max(1, factors.most_common(1)[0][0])
    else:
        scale = crop.get('scale', 4)
    for sample in samples:
        small, large = sizes[sample['img_path']], sizes[sample['gt_path']]
        if large != (small[0] * scale, small[1] * scale):
            raise ValueError(
                f'{sample["gt_path"]} is {_shown(large)}, not {scale} times '
                f'its low-resolution image, {_shown(small)}; {_REMEDY}.'
            )


def _check_crop(
    samples: list[_Sample], sizes: dict[str, _Size], crop: Mapping[str, Any]
) -> None:
    height, width = crop['lr_size']
    for sample in samples:
        small, large = sizes[sample['img_path']], sizes[sample['gt_path']]
        if small[0] < width or small[1] < height:
            raise ValueError(
                f'{sample["img_path"]} is {_shown(small)}, smaller than the '
                f'window {width}x{height} (lr_size of PairedRefCrop): choose '
                f'a smaller window, or {_REMEDY}.'
            )
        ref = sizes[sample['ref_path']]
        if crop.get('ref', 'same') == 'same' and ref != large:
            raise ValueError(
                f'{sample["ref_path"]} is {_shown(ref)}, but its image is '
                f"{_shown(large)}: use ref='whole' in PairedRefCrop and "
                f'batch_size=1, or {_REMEDY}.'
            )


def _check_batch(
    samples: list[_Sample],
    sizes: dict[str, _Size],
    crop: Mapping[str, Any] | None,
    batch_size: int,
    transposes: bool,
    aligned: bool,
) -> None:
    """Raise an error for images that cannot be put into one batch."""
    whole = []
    if crop is None:
        whole.append('img_path')
    if crop is None or crop.get('ref', 'same') == 'whole':
        whole += [] if aligned else ['ref_path']
    for key in whole:
        common = Counter(sizes[s[key]] for s in samples).most_common(1)[0][0]
        for sample in samples:
            if sizes[sample[key]] != common:
                raise ValueError(
                    f'{sample[key]} is {_shown(sizes[sample[key]])}, but '
                    f'others are {_shown(common)}; a batch of {batch_size} '
                    'needs one size: set batch_size=1, cut windows with '
                    f"PairedRefCrop (ref='same'), or {_REMEDY}."
                )
        if transposes and common[0] != common[1]:
            raise ValueError(
                f'{samples[0][key]} is {_shown(common)}: a batch of '
                f'{batch_size} needs square images, because RandomTransposeHW '
                'transposes some of them: set batch_size=1, cut square '
                "windows with PairedRefCrop (ref='same'), or remove "
                'RandomTransposeHW.'
            )
    if crop is not None and transposes and len(set(crop['lr_size'])) > 1:
        height, width = crop['lr_size']
        raise ValueError(
            f'The window {width}x{height} (lr_size of PairedRefCrop) must be '
            f'square for a batch of {batch_size}, because RandomTransposeHW '
            'transposes some of its samples.'
        )
