"""Cut one random window from all images and maps of a sample."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmdsr.registry import TRANSFORMS

_FLOW_KEYS = ('flow', 'visible', 'confidence')


def window(start: int, size: int, margin: int, length: int) -> tuple[int, int]:
    """Enlarge an interval by a margin and shift it into bounds.

    Args:
        start: First element of the interval.
        size: Number of elements in the interval.
        margin: Number of elements to add at either end.
        length: Number of elements in total, which bounds the interval.

    Returns:
        Start and size of the enlarged interval. It contains the given one, and
        is shorter than requested only if ``length`` is.
    """
    large = min(size + 2 * margin, length)
    return min(max(start - margin, 0), length - large), large


@TRANSFORMS.register_module()
class PairedRefCrop(BaseTransform):
    """Cut a random window from the low-resolution image and its companions.

    The window is placed in whole low-resolution pixels, so that ``gt``,
    ``depth_lr`` and the reduced reference keep their grids. Choose a size
    that is a multiple of the network's matching block, or the network pads
    every crop.

    Required keys: ``img`` ``(h, w, 3)``, ``ref``. Also cut if present: the
    ground truth ``gt`` ``(h * scale, w * scale, 3)``, ``depth_lr`` ``(h, w,
    1)``, ``depth_ref``, which has the size of ``ref`` / ``scale``, and
    ``flow`` ``(h, w, 2)``, ``visible`` and ``confidence`` ``(h, w, 1)``. The
    flow then leads from window to window, and pixels that it leads outside the
    window of the reference become invisible, with confidence 0. Added key:
    ``crop_window``, ``(top, left, height, width)`` in low-resolution pixels.

    Args:
        lr_size: Height and width of the window in low-resolution pixels.
        ref: ``'same'`` cuts the reference around the same place; ``'whole'``
            keeps it whole (any size).
        ref_margin: With ``'same'``, low-resolution pixels by which the window
            of the reference is larger on every side. At the edges it is
            shifted into the image.
        scale: Size of ``gt`` over that of ``img``.

    Raises:
        ValueError: If an argument is not valid, the image is smaller than
            the window, or the sizes of a sample do not agree.
    """

    def __init__(
        self,
        lr_size: tuple[int, int],
        ref: str = 'same',
        ref_margin: int = 0,
        scale: int = 4,
    ) -> None:
        if ref not in ('same', 'whole'):
            raise ValueError(f"ref must be 'same' or 'whole', not {ref!r}.")
        if len(lr_size) != 2 or min(lr_size) < 1:
            raise ValueError(
                f'lr_size must be a height and a width, not {lr_size}.'
            )
        if ref_margin < 0 or (ref == 'whole' and ref_margin):
            raise ValueError(
                "ref_margin must be >= 0, and must be 0 with ref='whole'."
            )
        self.lr_size = tuple(lr_size)
        self.ref = ref
        self.ref_margin = ref_margin
        self.scale = scale

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Cut the sample.

        Args:
            results: The sample so far.

        Returns:
            The sample, cut.
        """
        full = results['img'].shape[:2]
        self._check(results, full)
        tops = [
            np.random.randint(side - size + 1)
            for side, size in zip(full, self.lr_size, strict=True)
        ]
        box = [
            (top, size) for top, size in zip(tops, self.lr_size, strict=True)
        ]
        start = [0, 0]  # of the window of the reference
        _cut(results, 'img', box, 1)
        _cut(results, 'gt', box, self.scale)
        for key in ('depth_lr', *_FLOW_KEYS):
            _cut(results, key, box, 1)
        if self.ref == 'same':
            wide = [
                window(top, size, self.ref_margin, side)
                for (top, size), side in zip(box, full, strict=True)
            ]
            _cut(results, 'ref', wide, self.scale)
            _cut(results, 'depth_ref', wide, 1)
            start = [top for top, _ in wide]
        if 'flow' in results:
            _move_flow(results, tops, start, self.scale)
        results['crop_window'] = (*tops, *self.lr_size)
        return results

    def _check(self, results: dict[str, Any], full: tuple[int, int]) -> None:
        name = results.get('img_path', 'the sample')
        if full[0] < self.lr_size[0] or full[1] < self.lr_size[1]:
            raise ValueError(
                f'{name} is {full[1]}x{full[0]}, smaller than the window '
                f'{self.lr_size[1]}x{self.lr_size[0]}: choose a smaller '
                'lr_size.'
            )
        large = (full[0] * self.scale, full[1] * self.scale)
        sizes = {'gt': large, **dict.fromkeys(('depth_lr', *_FLOW_KEYS), full)}
        if self.ref == 'same':
            sizes.update(ref=large, depth_ref=full)
        for key, size in sizes.items():
            if key in results and results[key].shape[:2] != size:
                found = results[key].shape
                hint = (
                    " Use ref='whole' for references of another size."
                    if 'ref' in key
                    else ''
                )
                raise ValueError(
                    f'{name}: {key} is {found[1]}x{found[0]}, not '
                    f'{size[1]}x{size[0]}.{hint}'
                )

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(lr_size={self.lr_size}, '
            f'ref={self.ref!r}, ref_margin={self.ref_margin}, '
            f'scale={self.scale})'
        )


def _move_flow(
    results: dict[str, Any],
    lr_start: Sequence[int],
    ref_start: Sequence[int],
    scale: int,
) -> None:
    """Turn a flow between images into one between their windows."""
    moved = np.subtract(lr_start, ref_start)[::-1].astype(np.float32)
    flow = results['flow'] = results['flow'] + moved
    height, width = results['ref'].shape[:2]
    y, x = np.mgrid[: flow.shape[0], : flow.shape[1]]
    u, v = x + flow[..., 0], y + flow[..., 1]
    there = (u >= -0.5) & (u <= width / scale - 0.5)
    there &= (v >= -0.5) & (v <= height / scale - 0.5)
    for key in ('visible', 'confidence'):
        if key in results:
            results[key] = results[key] * there[..., None]


def _cut(
    results: dict[str, Any],
    key: str,
    box: Sequence[tuple[int, int]],
    scale: int,
) -> None:
    if key not in results:
        return
    rows, columns = (
        slice(start * scale, (start + size) * scale) for start, size in box
    )
    # mmagic's Flip works in place and needs contiguous memory.
    results[key] = np.ascontiguousarray(results[key][rows, columns])
