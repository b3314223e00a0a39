"""Load depth maps as normalized inverse depth."""

from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmdsr.io.images import DEPTH_UNIT, downscale_depth, read_depth
from mmdsr.registry import TRANSFORMS


def inverse_depth(depth: np.ndarray, near: float = 0.25) -> np.ndarray:
    """Normalize depth to ``clip(near / Z, 0, 1)``.

    Args:
        depth: Depth in meters, any shape; NaN or <= 0 is unknown.
        near: Depth in meters that maps to 1.

    Returns:
        Float32 in [0, 1]; 1 = at ``near`` or nearer, 0 = infinitely far, NaN =
        unknown.
    """
    depth = np.asarray(depth, dtype=np.float32)
    with np.errstate(divide='ignore', invalid='ignore'):
        normalized = np.clip(near / depth, 0, 1)
        return np.where(depth > 0, normalized, np.nan).astype(np.float32)


@TRANSFORMS.register_module()
class LoadDepth(BaseTransform):
    """Load a depth map as normalized inverse depth.

    The map belongs to an image that is already loaded, at that image's size
    divided by ``scale`` and rounded up. A file at the full size of the image
    is reduced by the mean of its inverse depth over each cell.

    Required keys: ``{key}_path`` (str or None) and ``{image_key}``.
    Added key: ``{key}``, ``(h, w, 1)`` float32 in [0, 1], NaN = unknown.

    Args:
        key: Name of the map, such as ``'depth_lr'``.
        image_key: Image that the map belongs to.
        scale: The image's size over the map's: 1 for ``depth_lr``, 4 for
            ``depth_ref``, which has the size of the reduced reference.
        near: Depth in meters that maps to 1; see :func:`inverse_depth`.
        unit: Meters per step of a 16-bit image. ``.npy`` files contain meters.
        missing: What to do without a file: ``'nan'`` adds an all-NaN map,
            ``'error'`` raises an error.

    Raises:
        ValueError: If an argument, or the kind or size of a map, is not valid.
        FileNotFoundError: If there is no file and ``missing='error'``.
    """

    def __init__(
        self,
        key: str,
        image_key: str = 'img',
        scale: int = 1,
        near: float = 0.25,
        unit: float = DEPTH_UNIT,
        missing: str = 'nan',
    ) -> None:
        if missing not in ('nan', 'error'):
            raise ValueError(
                f"missing must be 'nan' or 'error', not {missing!r}."
            )
        if not near > 0 or not unit > 0 or scale < 1:
            raise ValueError('near and unit must be > 0, scale >= 1.')
        self.key = key
        self.image_key = image_key
        self.scale = scale
        self.near = near
        self.unit = unit
        self.missing = missing

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the map.

        Args:
            results: The sample so far.

        Returns:
            The sample with ``{key}``.
        """
        if self.image_key not in results:
            raise ValueError(
                f'LoadDepth({self.key!r}) must come after the transform that '
                f'loads {self.image_key!r}.'
            )
        full = results[self.image_key].shape[:2]
        size = tuple(-(-side // self.scale) for side in full)
        path = results.get(f'{self.key}_path')
        if path is None or not Path(path).is_file():
            if self.missing == 'error':
                raise FileNotFoundError(
                    f'{self.key} of {results.get(f"{self.image_key}_path")} '
                    f'is missing ({path}).'
                )
            depth = np.full(size, np.nan, np.float32)
        else:
            depth = read_depth(path, self.unit)
            if depth.shape == full and full != size:
                depth = _reduce(depth, size, self.scale)
            if depth.shape != size:
                raise ValueError(
                    f'{path} is {depth.shape[1]}x{depth.shape[0]}; the depth '
                    f'of {self.image_key!r} must be {size[1]}x{size[0]} or '
                    f'{full[1]}x{full[0]}.'
                )
        results[self.key] = inverse_depth(depth, self.near)[..., None]
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(key={self.key!r}, '
            f'image_key={self.image_key!r}, scale={self.scale}, '
            f'near={self.near}, unit={self.unit}, missing={self.missing!r})'
        )


def _reduce(
    depth: np.ndarray, size: tuple[int, ...], scale: int
) -> np.ndarray:
    """Reduce a full-size map; cells at the edge may be partly unknown."""
    grown = np.full((size[0] * scale, size[1] * scale), np.nan, np.float32)
    grown[: depth.shape[0], : depth.shape[1]] = depth
    return downscale_depth(grown, scale)
