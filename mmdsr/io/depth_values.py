"""Read third-party depth files, whose values are not in millimeters."""

from pathlib import Path

import numpy as np

from mmdsr.io.images import UINT16_MODES, open_image, read_npy

KINDS = ('inverse', 'distance')
NEAR = 0.25
"""Depth in meters of the largest inverse depth, as in ``LoadDepth``."""


def to_metres(
    path: str | Path, kind: str = 'inverse', scale: float | None = None
) -> np.ndarray:
    """Read a depth file as meters.

    ``'inverse'``: larger is nearer, without a unit, as predicted by
    single-image depth networks. The value ``scale`` (255 by default) means
    0.25 m, and 0 means infinitely far: ``Z = 0.25 scale / v``.
    :class:`mmdsr.transforms.LoadDepth` then gives ``v / scale`` to the
    network. ``'distance'``: larger is farther, with ``scale`` meters (1 by
    default) per step; 0 is unknown. NaN and negative values are unknown in
    both cases.

    Args:
        path: ``.npy`` of numbers ``(h, w)``, ``(h, w, 1)`` or ``(1, h, w)``,
            or a gray image of 8 or 16 bits.
        kind: ``'inverse'`` or ``'distance'``.
        scale: See above, > 0.

    Returns:
        ``(h, w)`` float32 meters, NaN where unknown.

    Raises:
        ValueError: If an argument or the file is not of this form.
    """
    if kind not in KINDS:
        raise ValueError(f'The kind must be one of {KINDS}, not {kind!r}.')
    if scale is not None and not 0 < scale < np.inf:
        raise ValueError(f'The depth scale must be > 0, not {scale}.')
    values = read_values(path).astype(np.float32)
    known = values >= 0  # False for NaN, too
    if kind == 'inverse':
        with np.errstate(divide='ignore', invalid='ignore'):
            meters = np.float32(NEAR * (scale or 255)) / values
    else:
        meters = values * np.float32(scale or 1)
        known &= values > 0
    return np.where(known, meters, np.float32(np.nan))


def read_values(path: str | Path) -> np.ndarray:
    """Read the numbers of a one-channel file.

    Args:
        path: See :func:`to_metres`.

    Returns:
        ``(h, w)`` of the type of the file.

    Raises:
        ValueError: If the file holds something else.
    """
    path = Path(path)
    if path.suffix.lower() == '.npy':
        values = read_npy(path)
        if values.ndim == 3 and values.shape[2] == 1:
            values = values[..., 0]
        elif values.ndim == 3 and values.shape[0] == 1:
            values = values[0]
        if values.ndim != 2 or values.dtype.kind not in 'fiu':
            raise ValueError(
                f'{path} must contain (h, w) numbers, not {values.shape} '
                f'{values.dtype}.'
            )
        return values
    try:
        image = open_image(path)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    values = np.asarray(image)
    if image.mode in ('RGB', 'RGBA'):
        # Gray images with three equal channels are common.
        if (values[..., :3] == values[..., :1]).all():
            return values[..., 0]
        raise ValueError(
            f'{path} is a colored depth picture, which contains no depth '
            'values: use the gray maps or the .npy files.'
        )
    if image.mode != 'L' and image.mode not in UINT16_MODES:
        raise ValueError(
            f'{path} must be 8-bit or 16-bit gray, not of mode {image.mode!r}.'
        )
    return values
