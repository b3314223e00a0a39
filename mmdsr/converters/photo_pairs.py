"""Two views of one photograph: HR, and a reference by a homography.

Homographies are ``(3, 3)`` float64 and map homogeneous ``(x, y, 1)``; integer
coordinates are centers of pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mmdsr.sim.shade.sensor import compress


@dataclass(frozen=True)
class PairSpread:
    """Ranges of the differences between the two views of a pair.

    Geometry and light each have a strength, the square of a uniform draw from
    [0, 1): half of the pairs stay below a quarter of the ranges, like
    neighboring frames of a video, and a few come close to their limits.

    Attributes:
        zoom: Size of objects in Ref over that in HR, drawn log-uniformly.
        turn: Largest rotation in degrees.
        shift: Largest shift along each axis, as a share of the shorter side.
        bend: Largest change of scale between center and edge of the image
            (half of the shorter side away) by perspective.
        gain: Largest exposure of Ref over that of HR; its inverse is the
            smallest.
        gamma: Largest exponent of the brightness; its inverse is the smallest.
        tint: Largest gain of each color; its inverse is the smallest.
        glow: Largest relative change of brightness within the image.
        noise: Standard deviation in gray levels.
        blurred: Share of references with a slight blur.
        blur: Standard deviation of the blur in pixels.
        quality: JPEG quality.
        occluded: Share of references with something in front of the scene.
        cover: Share of the reference that is hidden.
    """

    zoom: tuple[float, float] = (0.85, 1.5)
    turn: float = 20.0
    shift: float = 0.15
    bend: float = 0.12
    gain: float = 1.3
    gamma: float = 1.25
    tint: float = 1.06
    glow: float = 0.3
    noise: tuple[float, float] = (0.0, 4.0)
    blurred: float = 0.3
    blur: tuple[float, float] = (0.3, 1.0)
    quality: tuple[int, int] = (60, 98)
    occluded: float = 0.2
    cover: tuple[float, float] = (0.03, 0.25)


def draw_homography(
    rng: np.random.Generator,
    size: tuple[int, int],
    spread: PairSpread,
    strength: float,
) -> np.ndarray:
    """Draw a homography to the view of a second camera.

    Args:
        rng: Source of the draws.
        size: Width and height of both images.
        spread: The ranges.
        strength: Their share that is used; 0 is no change.

    Returns:
        Homography from HR to Ref.
    """
    half = min(size) / 2
    low, high = np.log(spread.zoom)
    zoom = np.exp(strength * rng.uniform(low, high))
    angle = np.radians(strength * spread.turn * rng.uniform(-1, 1))
    shift = strength * spread.shift * 2 * rng.uniform(-1, 1, 2)
    bend = strength * spread.bend * rng.uniform(-1, 1, 2)
    c, s = zoom * np.cos(angle), zoom * np.sin(angle)
    # Units are half the shorter side; the origin is the center.
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1.0]])
    matrix = matrix @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    matrix = matrix @ np.array([[1, 0, 0], [0, 1, 0], [*bend, 1]])
    x, y = ((side - 1) / 2 for side in size)
    units = np.array([[half, 0, x], [0, half, y], [0, 0, 1]])
    return units @ matrix @ np.linalg.inv(units)


def project(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Apply a homography.

    Args:
        matrix: ``(3, 3)``.
        points: ``(..., 2)``, x first.

    Returns:
        ``(..., 2)``.
    """
    points = np.asarray(points, np.float64)
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    return mapped[..., :2] / mapped[..., 2:]


def homography_flow(
    hr_to_ref: np.ndarray,
    size: tuple[int, int],
    ref_size: tuple[int, int],
    scale: int = 4,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the exact flow of a homography.

    Args:
        hr_to_ref: ``(3, 3)``, at full size.
        size: Width and height of HR.
        ref_size: Width and height of Ref.
        scale: Reduction factor.

    Returns:
        Flow, ``(H / scale, W / scale, 2)`` float64 LR pixels as in
        :mod:`mmdsr.io.flow_values`, and whether it leads to within Ref,
        ``(H / scale, W / scale)`` bool.
    """
    middle = (scale - 1) / 2
    grid = np.stack(
        np.meshgrid(*(np.arange(side // scale) for side in size)), axis=-1
    )
    target = project(hr_to_ref, grid * scale + middle)
    inside = ((target >= -0.5) & (target < np.array(ref_size) - 0.5)).all(-1)
    return (target - middle) / scale - grid, inside


def render_view(
    image: np.ndarray, view_to_image: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """Resample an image as a camera with ideal pixels would see it.

    If the view reduces the image, several samples are averaged per pixel, so
    that nothing aliases; if it enlarges the image, the interpolation is cubic.

    Args:
        image: ``(Hi, Wi, 3)`` uint8.
        view_to_image: Homography from the view to the image.
        size: Width and height of the view.

    Returns:
        ``(H, W, 3)`` uint8; the image is mirrored beyond its edge.
    """
    # The longest step in the image from one pixel of the view to the next.
    corners = _corners(size)
    here = project(view_to_image, corners)
    step = max(
        np.linalg.norm(
            project(view_to_image, corners + way) - here, axis=1
        ).max()
        for way in ((1, 0), (0, 1))
    )
    # For reductions of up to a tenth, averaging would blur more than it helps.
    samples = int(np.clip(np.ceil(step - 0.1), 1, 4))
    offset = (1 / samples - 1) / 2
    finer = np.diag([1 / samples, 1 / samples, 1])
    finer[:2, 2] = offset
    view = cv2.warpPerspective(
        image,
        view_to_image @ finer,
        (size[0] * samples, size[1] * samples),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    if samples == 1:
        return view
    return cv2.resize(view, size, interpolation=cv2.INTER_AREA)


def lies_within(
    view_to_image: np.ndarray,
    size: tuple[int, int],
    image_size: tuple[int, int],
) -> bool:
    """Return whether an image contains everything that a view shows.

    Args:
        view_to_image: Homography from the view to the image.
        size: Width and height of the view.
        image_size: Width and height of the image.

    Returns:
        True if it does.
    """
    corners = _corners(size)
    ahead = corners @ view_to_image[2, :2] + view_to_image[2, 2]
    if (ahead / view_to_image[2, 2] <= 0).any():
        return False
    seen = project(view_to_image, corners)
    limit = np.array(image_size) - 0.5
    return bool(((seen >= -0.5 - 1e-6) & (seen <= limit + 1e-6)).all())


def change_light(
    image: np.ndarray,
    rng: np.random.Generator,
    spread: PairSpread,
    strength: float,
) -> np.ndarray:
    """Change the light of a view.

    Args:
        image: ``(H, W, 3)`` uint8.
        rng: Source of the draws.
        spread: The ranges.
        strength: Their share that is used; 0 is no change.

    Returns:
        ``(H, W, 3)`` float32 in [0, 255].
    """

    def factor(most: float, count: int | None = None) -> np.ndarray:
        return np.exp(strength * np.log(most) * rng.uniform(-1, 1, count))

    value = (image.astype(np.float32) / 255) ** np.float32(
        factor(spread.gamma)
    )
    value *= np.float32(factor(spread.gain) * factor(spread.tint, 3))
    value *= (
        1
        + np.float32(strength * spread.glow)
        * _smooth(rng, image.shape[:2], 3).clip(-1, 1)[..., None]
    )
    return value.clip(0, 1) * 255


def sense(
    image: np.ndarray, rng: np.random.Generator, spread: PairSpread
) -> np.ndarray:
    """Simulate a camera's lens, sensor and compression.

    Args:
        image: ``(H, W, 3)`` float32 in [0, 255].
        rng: Source of the draws and of the noise.
        spread: The ranges.

    Returns:
        ``(H, W, 3)`` uint8.
    """
    blurred, blur = rng.random() < spread.blurred, rng.uniform(*spread.blur)
    if blurred:
        image = cv2.GaussianBlur(image, (0, 0), blur)
    noise = np.float32(rng.uniform(*spread.noise))
    image = image + noise * rng.standard_normal(image.shape, np.float32)
    low, high = spread.quality
    return compress(
        image.round().clip(0, 255).astype(np.uint8),
        int(rng.integers(low, high + 1)),
    )


def draw_occluder(
    rng: np.random.Generator, size: tuple[int, int], spread: PairSpread
) -> np.ndarray:
    """Draw the outline of something in front of the scene.

    Args:
        rng: Source of the draws.
        size: Width and height.
        spread: The ranges.

    Returns:
        ``(H, W)`` float32 in [0, 1], how much is hidden: one or more irregular
        blobs with soft edges.
    """
    width, height = size
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    distance = np.hypot(
        np.arange(width)[None] - x, np.arange(height)[:, None] - y
    )
    nearness = 0.35 * _smooth(rng, (height, width), 6) - distance / min(size)
    level = np.quantile(nearness, 1 - rng.uniform(*spread.cover))
    hidden = (nearness > level).astype(np.float32)
    soft = cv2.GaussianBlur(hidden, (0, 0), rng.uniform(0.7, 3.0))
    return soft.clip(0, 1)  # rounding may exceed it


def hide(
    visible: np.ndarray, flow: np.ndarray, hidden: np.ndarray, scale: int = 4
) -> np.ndarray:
    """Exclude the occluded pixels from the visible ones.

    Args:
        visible: ``(h, w)`` bool.
        flow: ``(h, w, 2)`` LR pixels.
        hidden: ``(H, W)`` float32, how much of each pixel of the reference is
            hidden.
        scale: Reduction factor.

    Returns:
        ``(h, w)`` bool; a tenth of a reduced pixel may be hidden.
    """
    h, w = (side // scale for side in hidden.shape)
    small = cv2.resize(hidden, (w, h), interpolation=cv2.INTER_AREA)
    y, x = np.mgrid[: visible.shape[0], : visible.shape[1]]
    there = cv2.remap(
        small,
        (flow[..., 0] + x).astype(np.float32),
        (flow[..., 1] + y).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return visible & (there <= 0.1)


def _corners(size: Sequence[int]) -> np.ndarray:
    """Return the outer corners of an image, ``(4, 2)``."""
    return np.array([(x, y) for x in (0, size[0]) for y in (0, size[1])]) - 0.5


def _smooth(
    rng: np.random.Generator, shape: Sequence[int], knots: int
) -> np.ndarray:
    """Return smooth noise (H, W), mostly within [-1, 1]."""
    grid = rng.uniform(-1, 1, (knots, knots)).astype(np.float32)
    return cv2.resize(
        grid, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC
    )
