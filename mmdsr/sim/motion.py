"""Where the camera is, frame by frame."""

import numpy as np

from mmdsr.sim.geometry import Camera, rotation
from mmdsr.sim.scene import Scene
from mmdsr.sim.segments import Segments

_LONGEST_ZOOM = 6.0  # times the first focal length


def _zoom(scene: Scene, frame: int) -> float:
    """Focal length relative to the first frame's: in, and out again."""
    turn = np.log(_LONGEST_ZOOM)
    passed = frame * np.log(scene.zoom) % (2 * turn)
    return float(np.exp(min(passed, 2 * turn - passed)))


def camera_of(
    scene: Scene,
    segments: Segments,
    frame: int,
    size: tuple[int, int],
    rng: np.random.Generator | None,
) -> Camera:
    """Camera of a frame: advance or zoom, and a smooth small wander.

    Args:
        scene: The run.
        segments: The pipe, which a crawler follows.
        frame: Number of the frame, non-negative.
        size: Width and height in pixels.
        rng: Source of the jitter of the lens, None for a steady one.

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
