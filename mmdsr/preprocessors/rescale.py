"""Scale data samples along with images that become ``scale`` times larger.

The samples are those of mmsegmentation, mmdetection and mmpretrain, or of
any other host that uses mmengine's data elements; no host is imported.
Nothing is changed in place: a sample may be preprocessed again, for instance
once for each view of test-time augmentation.

There are two frames of reference:

- **LR**: ``img_shape`` is the size of the tensor. The pipeline worked on the
  small image, so its sizes, factors and annotations grow with the image.
- **HR**: ``img_shape`` is ``scale`` times the size of the tensor. The pipeline
  worked on the large image and reduced it at the very end
  (``mmdsr.Downsample``), so everything is already correct.

``ori_shape`` is unchanged in both: predictions go back to the image file.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from torch import Tensor

from mmdsr.errors import FrameError

#: Sizes (height, width, ...) of the image that the network sees.
_SIZES = ('img_shape', 'pad_shape', 'batch_input_shape')
#: Margins in pixels (left, right, top, bottom).
_PADDINGS = ('padding_size', 'img_padding_size')


def rescale_samples(
    samples: Sequence[BaseDataElement] | None,
    sizes: Sequence[Sequence[int]],
    scale: int,
    training: bool = False,
    strict: bool = True,
) -> Sequence[BaseDataElement] | None:
    """Make data samples match enlarged images.

    Args:
        samples: Data samples, or ``None``.
        sizes: Height and width of each image before it was enlarged, in
            pixels.
        scale: Factor by which the images were enlarged.
        training: Whether annotations are scaled, too. In a test they belong to
            the image file and are compared with predictions that were mapped
            back to it.
        strict: Whether to refuse a sample of neither frame. Otherwise it is
            left unchanged, which is correct if nothing in it depends on the
            size of the image.

    Returns:
        New samples; a sample that needs no change is returned itself.

    Raises:
        FrameError: If a sample is of neither frame.
    """
    if samples is None or scale == 1:
        return samples
    return [
        rescale_sample(sample, size, scale, training, strict)
        for sample, size in zip(samples, sizes, strict=True)
    ]


def rescale_sample(
    sample: BaseDataElement,
    size: Sequence[int],
    scale: int,
    training: bool = False,
    strict: bool = True,
) -> BaseDataElement:
    """Make one data sample match an enlarged image.

    Args:
        sample: Data sample.
        size: Height and width before the enlargement.
        scale: Factor by which the image was enlarged.
        training: Whether annotations are scaled.
        strict: Whether to refuse a sample of neither frame.

    Returns:
        A new sample, or the same if nothing changes.

    Raises:
        FrameError: If the sample is of neither frame.
    """
    size = tuple(int(side) for side in size)
    frame = frame_of(sample.get('img_shape'), size, scale)
    if frame is None and strict:
        raise FrameError(
            f'{_name(sample)}is {_text(size)} at the start of '
            'super-resolution, but its img_shape is '
            f'{_text(sample.get("img_shape"))}: neither the same nor {scale} '
            'times as large, so its annotations and predictions cannot be '
            'aligned. A pipeline on HR files must end with '
            f'dict(type="mmdsr.Downsample", scale=1/{scale}) right before '
            'Pack*, after all other transforms. For other data, create the '
            'SR images first (tools/super_resolve.py) and train on those.'
        )
    if frame != 'LR':
        return sample
    new = sample.new()
    new.set_metainfo(scale_metainfo(sample.metainfo, scale))
    if 'proposals' in new:
        # Inputs of the network, hence in its frame also in a test.
        new.proposals = scale_instances(new.proposals, size, scale)
    if training:
        for name, value in sample.items():
            if name == 'proposals':
                continue
            if isinstance(value, InstanceData):
                _check_masks(sample, name, value, size)
                setattr(new, name, scale_instances(value, size, scale))
            elif isinstance(value, PixelData):
                _check_map(sample, name, value, size)
                setattr(new, name, scale_pixels(value, scale))
    return new


def frame_of(
    img_shape: Sequence[int] | None, size: Sequence[int], scale: int
) -> str | None:
    """Return which image a sample belongs to.

    Args:
        img_shape: Height and width (and possibly channels) in the metainfo.
        size: Height and width of the image before it is enlarged.
        scale: Factor by which it is enlarged.

    Returns:
        ``'LR'`` (also without an ``img_shape``, as only the tensor's size is
        known then), ``'HR'``, or ``None`` for neither.
    """
    if img_shape is None:
        return 'LR'
    shape = tuple(int(side) for side in img_shape[:2])
    if shape == tuple(size):
        return 'LR'
    if shape == tuple(side * scale for side in size):
        return 'HR'
    return None


def scale_metainfo(metainfo: dict[str, Any], scale: int) -> dict[str, Any]:
    """Scale the metainfo of the image that the network sees.

    Args:
        metainfo: Metainfo of a sample in the LR frame.
        scale: Factor by which the image was enlarged.

    Returns:
        The entries that change. ``scale_factor`` (width, height) is that of
        the image file to the network's image; 1 if absent.
    """
    changed: dict[str, Any] = {}
    for key in _SIZES:
        if metainfo.get(key) is not None:
            height, width, *rest = metainfo[key]
            changed[key] = (height * scale, width * scale, *rest)
    for key in _PADDINGS:
        if metainfo.get(key) is not None:
            changed[key] = tuple(side * scale for side in metainfo[key])
    factor = metainfo.get('scale_factor')
    if factor is None:
        factor = (1.0, 1.0)
    if isinstance(factor, (tuple, list)):
        changed['scale_factor'] = tuple(value * scale for value in factor)
    else:
        # A number, or an array as older transforms write it.
        changed['scale_factor'] = factor * scale
    return changed


def scale_instances(
    instances: InstanceData, size: Sequence[int], scale: int
) -> InstanceData:
    """Scale boxes and masks of instances.

    Args:
        instances: With ``bboxes`` (tensor ``(n, 4)`` in pixels or a box type
            of mmdet) and ``masks`` (tensor ``(n, H, W)`` or a mask type of
            mmdet), either of which may be absent.
        size: Height and width of the image before it was enlarged.
        scale: Factor by which the image was enlarged.

    Returns:
        New instances.
    """
    new = instances.new()
    boxes = instances.get('bboxes')
    if isinstance(boxes, torch.Tensor):
        new.bboxes = boxes * scale
    elif boxes is not None:
        boxes = boxes.clone()
        # The box types of mmdet and mmrotate change in place.
        boxes.rescale_((float(scale), float(scale)))
        new.bboxes = boxes
    masks = instances.get('masks')
    if isinstance(masks, torch.Tensor):
        new.masks = _repeat(masks, scale)
    elif masks is not None:
        new.masks = masks.resize(tuple(side * scale for side in size))
    return new


def scale_pixels(pixels: PixelData, scale: int) -> PixelData:
    """Repeat the pixels of maps.

    Args:
        pixels: Maps ``(C, H, W)`` of labels or numbers.
        scale: How often each pixel is repeated, in both directions.

    Returns:
        New maps ``(C, scale * H, scale * W)``.
    """
    # All maps of one PixelData must have the same size at all times.
    new = PixelData(metainfo=pixels.metainfo)
    for name, value in pixels.items():
        setattr(new, name, _repeat(value, scale))
    return new


def _repeat(maps: Tensor | np.ndarray, scale: int) -> Tensor | np.ndarray:
    """Return the nearest neighbor for an integer factor and any dtype."""
    if isinstance(maps, np.ndarray):
        return maps.repeat(scale, -2).repeat(scale, -1)
    return maps.repeat_interleave(scale, -2).repeat_interleave(scale, -1)


def _check_map(
    sample: BaseDataElement, name: str, pixels: PixelData, size: Sequence[int]
) -> None:
    # Smaller maps are intended: mmdet has a transform for them.
    if pixels.shape is not None and any(
        side > limit for side, limit in zip(pixels.shape, size, strict=True)
    ):
        raise _larger(sample, name, pixels.shape, size)


def _check_masks(
    sample: BaseDataElement,
    name: str,
    instances: InstanceData,
    size: Sequence[int],
) -> None:
    masks = instances.get('masks')
    if masks is None or not len(masks):
        return
    if isinstance(masks, torch.Tensor):
        shape = tuple(masks.shape[-2:])
    else:
        shape = (masks.height, masks.width)
    if shape != tuple(size):
        raise _larger(sample, f'{name}.masks', shape, size)


def _larger(
    sample: BaseDataElement,
    name: str,
    shape: Sequence[int],
    size: Sequence[int],
) -> FrameError:
    return FrameError(
        f'{_name(sample)}is {_text(size)}, but {name} is {_text(shape)}. '
        'Annotations of HR images do not fit LR files, because flips and '
        'crops of the pipeline would misplace them. Read the HR files and '
        'end the pipeline with mmdsr.Downsample right before Pack*, or '
        'create the SR images first (tools/super_resolve.py) and train on '
        'those.'
    )


def _name(sample: BaseDataElement) -> str:
    path = sample.get('img_path')
    return f'The image {path} ' if path else 'An image '


def _text(size: Sequence[int]) -> str:
    return 'x'.join(str(int(side)) for side in size[1::-1])
