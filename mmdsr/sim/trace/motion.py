"""Where the camera is, frame by frame."""

import numpy as np

from mmdsr.sim.scene.scene import Scene
from mmdsr.sim.scene.segments import Segments
from mmdsr.sim.trace.geometry import Camera, rotation

_LONGEST_ZOOM = 6.0  # times the first focal length

STEPS = ('even', 'spread', 'video')
"""How far the camera moves from frame to frame, see `frame_times`."""

SPREAD_RADII = (0.02, 3.0)
SPREAD_ZOOM = (0.25, 4.0)
VIDEO_RADII = 0.03
"""Advance per frame of a recording: a 300 mm pipe, 25 frames per second and
0.11 m/s, the speed of a careful inspection."""
VIDEO_ZOOM = 0.03


def frame_times(
    scene: Scene, steps: str, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the position of each frame in its run, in steps of the run.

    Args:
        scene: The run.
        steps: ``'even'``: one step from frame to frame. ``'spread'``: the
            advance from one frame to the next is log-uniform over
            `SPREAD_RADII` radii of the pipe, from neighbors in a video to
            stills that share little; where the camera zooms, the gap is
            log-uniform over `SPREAD_ZOOM` of the run's zoom steps.
            ``'video'``: the frames of a recording, `VIDEO_RADII` radii or
            `VIDEO_ZOOM` zoom steps apart.
        count: Number of frames.
        rng: Source of the gaps.

    Returns:
        ``(count,)`` float64, starting at 0 and never decreasing.

    Raises:
        ValueError: If ``steps`` is unknown.
    """
    if steps not in STEPS:
        raise ValueError(f'steps must be one of {STEPS}, not {steps!r}')
    if steps == 'even':
        return np.arange(count, dtype=np.float64)
    still = scene.motion == 'zoom'
    if steps == 'video':
        gap = VIDEO_ZOOM if still else VIDEO_RADII * scene.radius / scene.step
        return gap * np.arange(count, dtype=np.float64)
    low, high = SPREAD_ZOOM if still else SPREAD_RADII
    gaps = low * (high / low) ** rng.uniform(size=count - 1)
    if not still:
        gaps *= scene.radius / scene.step
    return np.concatenate([[0.0], np.cumsum(gaps)])


def _zoom(scene: Scene, frame: float) -> float:
    """Return the relative focal length of a camera that zooms in and out."""
    turn = np.log(_LONGEST_ZOOM)
    passed = frame * np.log(scene.zoom) % (2 * turn)
    return float(np.exp(min(passed, 2 * turn - passed)))


def camera_of(
    scene: Scene,
    segments: Segments,
    frame: float,
    size: tuple[int, int],
    rng: np.random.Generator | None,
) -> Camera:
    """Return the camera of a frame: advance or zoom, and slight wander.

    Args:
        scene: The run.
        segments: The pipe, which a crawler follows.
        frame: Position in the run in steps, non-negative; see `frame_times`.
        size: Width and height in pixels.
        rng: Source of the lens jitter, None for none.

    Returns:
        The camera.
    """
    # Incommensurate periods of 5 to 30 frames: no two frames are alike.
    rates = np.array([0.21, 0.57, 1.13])
    weights = np.array([0.6, 0.3, 0.1])
    sway = np.sin(rates * frame + scene.phases) @ weights
    shift, turn = scene.wander
    z = scene.step * (frame + 0.25 * sway[5])
    x, y = segments.center(z)
    # A crawler looks where the pipe goes a little ahead.
    ahead = 4 * scene.radius
    lead = (segments.center(z + ahead) - (x, y)) / ahead
    if scene.motion == 'zoom':
        x, y, lead = 0.0, 0.0, np.zeros(2)
    pose = np.eye(4)
    pose[:3, :3] = rotation(
        scene.aim[0] + lead[0] + turn * sway[0] + scene.pan[0] * sway[6],
        scene.aim[1] - lead[1] + turn * sway[1] + scene.pan[1] * sway[7],
        0.5 * turn * sway[2],
    )
    pose[:3, 3] = (
        x + scene.offset[0] + scene.radius * shift * sway[3],
        y + scene.offset[1] + scene.radius * shift * sway[4],
        z,
    )
    width, height = size
    focal = width / 2 / np.tan(scene.hfov / 2) * _zoom(scene, frame)
    dx = dy = grow = 0.0
    if rng is not None:
        dx, dy, grow = rng.normal(0, 1, 3)
    point, length = scene.jitter
    return Camera(
        pose,
        focal * float(np.exp(length * grow)),
        (width / 2 + point * width * dx, height / 2 + point * width * dy),
    )
