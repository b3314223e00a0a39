"""A run: one camera on its way down one pipe."""

from contextlib import contextmanager
from typing import NamedTuple

import cv2
import numpy as np

from mmdsr.sim.noise import slopes, spectral_noise
from mmdsr.sim.render import render
from mmdsr.sim.scene import camera_pose, draw_scene
from mmdsr.sim.sensor import capture, meter
from mmdsr.sim.shade import Looks, Ripples
from mmdsr.sim.texture import MipAtlas
from mmdsr.sim.wall import Wall

FAR = 60.0


@contextmanager
def _one_thread():
    """Keep OpenCV to one thread: the unit of parallel work is the run."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


class SimFrame(NamedTuple):
    """A simulated frame.

    Attributes:
        image: uint8 RGB ``(H, W, 3)``.
        depth: Float32 ``(H, W)``: distance along the optical axis in
            metres, of the wall or the water's surface at the centre of the
            pixel. The pipe has no end; what is farther than 60 m (a few
            pixels around the vanishing point) is given 60 m.
        pose: Camera-to-world matrix ``(4, 4)``, float64, metres; axes x
            right, y down, z forward for both.
    """

    image: np.ndarray
    depth: np.ndarray
    pose: np.ndarray


class PipeRun:
    """One camera run through one pipe.

    A frame depends only on the seed, the run's and the frame's number and
    the settings given here: not on the frames asked for before it.

    Args:
        seed: Seed of the data set, non-negative.
        run: Number of the run, non-negative.
        size: Width and height of the frames in pixels, at least 16 each.
        noise: Whether frames carry sensor noise, exposure variation and
            compression.

    Attributes:
        scene: All parameters of the run.
        intrinsics: Camera matrix ``(3, 3)`` in pixels, where the centre of
            the first pixel is (0.5, 0.5).

    Raises:
        ValueError: If a number is negative or the size too small.
    """

    def __init__(
        self,
        seed: int,
        run: int,
        size: tuple[int, int] = (448, 320),
        noise: bool = True,
    ):
        if seed < 0 or run < 0:
            raise ValueError(
                f'seed and run must not be negative, got {seed} and {run}'
            )
        width, height = size
        if min(size) < 16:
            raise ValueError(f'frames must be at least 16x16, got {size}')
        self.seed, self.run, self.noise = seed, run, noise
        self.size = (int(width), int(height))
        self.scene = draw_scene(seed, run)
        focal = width / 2 / np.tan(self.scene.hfov / 2)
        self.intrinsics = np.array(
            [[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]
        )
        with _one_thread():
            self._build()

    def _build(self) -> None:
        """Make the run's textures and set its exposure."""
        # The texture does not depend on the size asked for: the nearest
        # pixels of a frame 448 wide set its resolution.
        nominal = 224 / np.tan(self.scene.hfov / 2)
        nearest = self.scene.radius * nominal / 275**2
        footprint = float(np.clip(0.8 * nearest, 0.0005, 0.0025))
        rng = np.random.default_rng([self.seed, self.run, 2])
        self._looks = Looks(self.scene, rng)
        self._wall = Wall(self.scene, rng, footprint)
        surface = spectral_noise(rng, (256, 256), (4, 100), 1.3)
        along, across = slopes(surface)
        scum = spectral_noise(rng, (256, 256), (4, 90), 1.4)
        scum -= np.quantile(scum, 1 - self._looks.scum)
        stack = np.stack([across, along], -1)
        stack /= stack.std()
        self._ripples = MipAtlas(np.dstack([stack, scum]), 6)
        previews = [self._light(frame, (112, 80))[0] for frame in (0, 7, 19)]
        self._gain = meter(
            np.stack(previews), self.scene.exposure, self.scene.shoulder
        )

    def _light(self, frame: int, size: tuple[int, int]):
        pose = camera_pose(self.scene, frame)
        ripples = Ripples(
            self._ripples,
            2.0 * self.scene.radius,
            self._looks.ripple,
            self._looks.flow * frame,
            2 * np.tan(self.scene.hfov / 2) / size[0],
        )
        light, depth = render(
            self.scene, self._wall, self._looks, ripples, pose, size, FAR
        )
        return light, depth, pose

    def frame(self, index: int) -> SimFrame:
        """Render a frame.

        Args:
            index: Number of the frame, non-negative; the camera advances
                with it.

        Returns:
            Image, depth and pose.

        Raises:
            ValueError: If the number is negative.
        """
        if index < 0:
            raise ValueError(f'frame must not be negative, got {index}')
        with _one_thread():
            light, depth, pose = self._light(index, self.size)
            rng, gain = None, self._gain
            if self.noise:
                rng = np.random.default_rng([self.seed, self.run, 3, index])
                gain *= float(np.exp(rng.normal(0, 0.04)))
            image = capture(self.scene, light, gain, rng)
        return SimFrame(image, depth, pose)
