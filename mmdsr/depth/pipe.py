"""Depth from only the shape of a pipe.

This prior is ours, not the paper's.
"""

from pathlib import Path
from typing import Any

import numpy as np

from mmdsr.depth.base import DepthMap, DepthProvider
from mmdsr.depth.edges import log_luma
from mmdsr.depth.vanishing import VanishingPoint, find_vanishing_point
from mmdsr.depth.waterline import find_water_lines, water_height
from mmdsr.extras import require

RADIUS = 0.2
HFOV = 65.0
FAR = 60.0
WATER = ('auto', 'none')


def pipe_depth(
    size: tuple[int, int],
    point: tuple[float, float],
    focal: float,
    radius: float = 1.0,
    offset: tuple[float, float] = (0.0, 0.0),
    water: float | None = None,
    far: float = FAR,
) -> np.ndarray:
    r"""Return the depth of a straight circular pipe with still water.

    With the direction ``d`` of a pixel (forward component 1) and the part of
    it across the pipe, ``q``, the wall is where the ray has gone the
    distance ``g`` across:

    .. math:: Z = g(q / |q|) / |q|.

    For a camera on the axis ``g = R``; if it looks along the pipe as well,
    ``|q| = r / f`` and ``Z = f R / r`` with the distance ``r`` from the
    vanishing point. Beside the axis, and above water, ``g`` is the distance
    to the circle, or to the water, in that direction.

    Args:
        size: Width and height of the image, pixels.
        point: Vanishing point, pixels from the upper left corner (the first
            pixel's center is (0.5, 0.5)).
        focal: Focal length, pixels; the principal point is the center.
        radius: Radius of the pipe, meters.
        offset: The camera right of and below the axis, in radii; within the
            pipe.
        water: Height of the camera above the water in radii, > 0.
        far: Largest depth, meters.

    Returns:
        ``(H, W)`` float32 meters along the optical axis.
    """
    width, height = size
    axis = np.array(
        [(point[0] - width / 2) / focal, (point[1] - height / 2) / focal, 1.0]
    )
    axis /= np.linalg.norm(axis)
    # Right and down across the pipe; the camera is not rolled.
    right = np.array([1.0, 0.0, 0.0]) - axis[0] * axis
    right /= np.linalg.norm(right)
    down = np.cross(axis, right)
    x = (np.arange(width) + 0.5 - width / 2) / focal
    y = ((np.arange(height) + 0.5 - height / 2) / focal)[:, None]
    across = x * right[0] + y * right[1] + right[2]
    sunk = x * down[0] + y * down[1] + down[2]
    # The lower bound lets a ray along the axis meet the wall very far away.
    square = np.maximum(across**2 + sunk**2, 1e-12)
    ahead = across * offset[0] + sunk * offset[1]
    inside = 1 - offset[0] ** 2 - offset[1] ** 2
    depth = (np.sqrt(ahead**2 + square * inside) - ahead) / square
    if water is not None:
        with np.errstate(divide='ignore'):
            surface = np.where(sunk > 0, water / sunk, np.inf)
        depth = np.minimum(depth, surface)
    return np.minimum(depth * radius, far).astype(np.float32)


class PipeDepth(DepthProvider):
    """The analytic pipe prior.

    It finds the vanishing point, the position of the camera in the pipe and
    the water, and returns the depth of a straight circular pipe,
    :func:`pipe_depth`. If no vanishing point is found (the camera looks at the
    wall, into foam, or into the dark), it uses the center of the image and
    reports this.

    The map is metric if radius and field of view are given, and relative if
    one of them is assumed.

    Args:
        radius: Radius of the pipe, meters; 0.2 is assumed.
        hfov: Horizontal field of view, degrees; 65 is assumed.
        far: Largest depth, meters.
        water: ``'auto'`` looks for the water, ``'none'`` does not.

    Raises:
        ValueError: If an argument does not fit.
    """

    name = 'pipe'

    def __init__(
        self,
        radius: float | None = None,
        hfov: float | None = None,
        far: float = FAR,
        water: str = 'auto',
    ) -> None:
        require('depth', 'scipy')
        self.kind = 'relative' if None in (radius, hfov) else 'metric'
        self.radius = RADIUS if radius is None else radius
        self.hfov = HFOV if hfov is None else hfov
        self.far, self.water = far, water
        if not 0 < self.radius < float('inf'):
            raise ValueError(f'radius must be > 0, not {radius}.')
        if not 0 < self.hfov < 180:
            raise ValueError(
                f'hfov must be between 0 and 180 degrees, not {hfov}.'
            )
        if not self.radius < far < float('inf'):
            raise ValueError(f'far must be larger than the radius, not {far}.')
        if water not in WATER:
            raise ValueError(f'water must be one of {WATER}, not {water!r}.')

    def _predict(
        self, image: np.ndarray, path: Path | None = None
    ) -> DepthMap:
        height, width = image.shape[:2]
        found = find_vanishing_point(image)
        level = None
        if not found.problem and self.water == 'auto':
            level = self._water(image, found)
        depth = pipe_depth(
            (width, height),
            (found.x, found.y),
            width / 2 / np.tan(np.deg2rad(self.hfov) / 2),
            self.radius,
            found.offset,
            level,
            self.far,
        )
        return DepthMap(depth, self.kind, found.confidence, found.problem)

    def _water(self, image: np.ndarray, found: VanishingPoint) -> float | None:
        luma = log_luma(image)
        if luma is None:
            return None
        height, width = image.shape[:2]
        scale = luma.shape[1] / width, luma.shape[0] / height
        lines = find_water_lines(
            luma, (found.x * scale[0] - 0.5, found.y * scale[1] - 0.5)
        )
        return None if lines is None else water_height(lines, found.offset)

    def describe(self) -> dict[str, Any]:
        """Return the name and the settings, for a manifest."""
        return {
            'name': self.name,
            'radius': self.radius,
            'hfov': self.hfov,
            'far': self.far,
            'water': self.water,
            'kind': self.kind,
        }
