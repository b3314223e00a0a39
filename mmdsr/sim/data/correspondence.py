"""The position of a low-resolution pixel in the reference, from geometry."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from mmdsr.io.manifest import SPLITS

_AGREE = 0.05  # largest relative difference of depth of a visible spot


class View(NamedTuple):
    """Camera and depth of an image.

    Attributes:
        intrinsics: ``(fx, fy, cx, cy)`` in pixels of the full-size image,
            where the center of the first pixel is at (0.5, 0.5).
        rotation: Camera-to-world rotation ``(3, 3)``.
        position: Position of the camera in the world ``(3,)``, meters.
    """

    intrinsics: np.ndarray
    rotation: np.ndarray
    position: np.ndarray


def correspondence(
    depth: np.ndarray,
    depth_ref: np.ndarray,
    view: View,
    view_ref: View,
    scale: int = 4,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the exact flow from LR to the reduced reference.

    The center of an LR pixel is projected into the world by its depth and from
    there into the reference's camera. It is visible if it falls inside the
    reference and the depth there agrees within 5 percent.

    Args:
        depth: Depth of LR along the optical axis ``(h, w)``, meters, NaN or
            0 where unknown.
        depth_ref: Depth of the reduced reference ``(hr, wr)``.
        view: Camera of LR, at the full size.
        view_ref: Camera of the reference, at the full size.
        scale: Full size over the size of the depth maps.

    Returns:
        Flow ``(h, w, 2)`` float32 in LR pixels: the spot at LR pixel
        ``(x, y)`` lies at ``(x, y) + flow[y, x]`` in the reduced reference,
        both counted from the center of the first pixel; 0 where depth is
        unknown or the spot is behind the reference's camera. Visible
        ``(h, w)`` bool.
    """
    height, width = depth.shape
    y, x = np.mgrid[:height, :width].astype(np.float64)
    known = np.isfinite(depth) & (depth > 0)
    z = np.where(known, depth, 1.0)
    fx, fy, cx, cy = view.intrinsics
    points = np.stack(
        [
            ((x + 0.5) * scale - cx) / fx * z,
            ((y + 0.5) * scale - cy) / fy * z,
            z,
        ],
        axis=-1,
    )
    world = points @ np.asarray(view.rotation).T + view.position
    seen = (world - view_ref.position) @ np.asarray(view_ref.rotation)
    ahead = known & (seen[..., 2] > 1e-3)
    z_ref = np.where(ahead, seen[..., 2], 1.0)
    fx, fy, cx, cy = view_ref.intrinsics
    u = (seen[..., 0] / z_ref * fx + cx) / scale - 0.5
    v = (seen[..., 1] / z_ref * fy + cy) / scale - 0.5
    flow = np.where(ahead[..., None], np.stack([u - x, v - y], -1), 0)
    flow = flow.astype(np.float32)
    visible = ahead & _agrees(depth_ref, u, v, z_ref)
    return flow, visible


def _agrees(
    depth_ref: np.ndarray, u: np.ndarray, v: np.ndarray, z: np.ndarray
) -> np.ndarray:
    """Return where the reference has this depth; False where unknown."""
    height, width = depth_ref.shape
    inside = (u >= -0.5) & (u <= width - 0.5)
    inside &= (v >= -0.5) & (v <= height - 0.5)
    with np.errstate(divide='ignore', invalid='ignore'):
        # Inverse depth is linear over a plane.
        inverse = np.where(depth_ref > 0, 1 / depth_ref, np.nan)
    there = cv2.remap(
        inverse.astype(np.float32),
        np.clip(u, 0, width - 1).astype(np.float32),
        np.clip(v, 0, height - 1).astype(np.float32),
        cv2.INTER_LINEAR,
    )
    with np.errstate(invalid='ignore'):
        return inside & (np.abs(there * z - 1) < _AGREE)


def read_views(root: str | Path) -> dict[tuple[str, str, str], View]:
    """Read ``poses.csv`` of a simulated data set.

    Args:
        root: Root of the data set.

    Returns:
        A view for each split, sample name and ``'image'`` or ``'ref'``;
        empty if there is no such file.

    Raises:
        ValueError: If the file is damaged.
    """
    path = Path(root) / 'poses.csv'
    if not path.is_file():
        return {}
    views = {}
    with path.open(encoding='utf-8') as file:
        next(file, None)
        for number, line in enumerate(file, 2):
            try:
                split, stem, image, *cells = line.rstrip('\n').split(',')
                values = np.array(cells, np.float64)
                if split not in SPLITS or values.shape != (16,):
                    raise ValueError(f'{len(cells)} numbers, not 16')
            except ValueError as error:
                raise ValueError(
                    f'{path}, line {number}: {error}. Create the data set '
                    'again.'
                ) from error
            views[split, stem, image] = View(
                values[:4], values[4:13].reshape(3, 3), values[13:]
            )
    return views
