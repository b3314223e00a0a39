"""A run: one camera that moves down one pipe."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import cv2
import numpy as np

from mmdsr.sim.scene.defects import (
    check_kinds,
    draw_defects,
    draw_kinds,
    draw_places,
    shift_joints,
)
from mmdsr.sim.scene.scene import draw_scene
from mmdsr.sim.scene.section import CIRCULAR, perimeter_table
from mmdsr.sim.scene.segments import joints_of, lay_segments
from mmdsr.sim.shade.decals import build_decals
from mmdsr.sim.shade.light import Looks, Ripples
from mmdsr.sim.shade.noise import slopes, spectral_noise
from mmdsr.sim.shade.render import Rendered, World, render
from mmdsr.sim.shade.sensor import capture, meter
from mmdsr.sim.shade.text import Caption
from mmdsr.sim.shade.texture import MipAtlas
from mmdsr.sim.shade.wall import RING_LENGTH, Wall, ring_joints
from mmdsr.sim.trace.build import build_bodies, joint_steps, squeezes
from mmdsr.sim.trace.geometry import Camera, Pipe
from mmdsr.sim.trace.motion import camera_of, frame_times

FAR = 60.0
_METERED = (0, 8, 16, 24)  # frames at which the exposure is measured


@contextmanager
def _one_thread() -> Iterator[None]:
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
        depth: Float32 ``(H, W)``: distance along the optical axis in meters,
            of the wall, of a body or of the water's surface at the center of
            the pixel. The pipe is endless; depths beyond 60 m (a few pixels
            around the vanishing point) are set to 60 m.
        pose: Camera-to-world matrix ``(4, 4)``, float64, meters; both systems
            have the axes x right, y down, z forward.
        intrinsics: Camera matrix ``(3, 3)`` in pixels, where the center of
            the first pixel is (0.5, 0.5).
        defect: uint8 ``(H, W)``: 0 where no defect is visible, i where
            ``PipeRun.defects[i - 1]`` is.
        overlay: Bool ``(H, W)``: True under burned-in text.
    """

    image: np.ndarray
    depth: np.ndarray
    pose: np.ndarray
    intrinsics: np.ndarray
    defect: np.ndarray
    overlay: np.ndarray


class PipeRun:
    """One camera run through one pipe.

    A frame depends only on the seed, the numbers of run and frame and the
    settings given here, not on the frames rendered before it.

    Args:
        seed: Seed of the data set, non-negative.
        run: Number of the run, non-negative.
        size: Width and height of the frames in pixels, at least 16 each.
        noise: Whether frames carry sensor noise, motion blur, exposure
            variation, a jittering lens and compression.
        defects: Codes of `mmdsr.sim.scene.defects.KINDS`, one defect each;
            None lets the run draw its own.
        overlay: Whether text is burned into the frames.
        steps: How far the camera moves from frame to frame, ``'even'``,
            ``'spread'`` or ``'video'``; see
            `mmdsr.sim.trace.motion.frame_times`.

    Attributes:
        scene: All parameters of the run.
        defects: The defects, a tuple of `mmdsr.sim.scene.defects.Defect`.

    Raises:
        ValueError: If a number is negative, the size too small or a code
            unknown.
    """

    def __init__(
        self,
        seed: int,
        run: int,
        size: tuple[int, int] = (448, 320),
        noise: bool = True,
        defects: Sequence[str] | None = None,
        overlay: bool = False,
        steps: str = 'even',
    ) -> None:
        if seed < 0 or run < 0:
            raise ValueError(
                f'seed and run must be at least 0, not {seed} and {run}'
            )
        width, height = size
        if min(size) < 16:
            raise ValueError(f'frames must be at least 16x16, not {size}')
        self.seed, self.run, self.noise = seed, run, noise
        self.size = (int(width), int(height))
        own = defects is None
        kinds = check_kinds(
            draw_kinds(seed, run) if defects is None else defects
        )
        self.scene = draw_scene(seed, run, kinds)
        self._caption = Caption(seed, run) if overlay else None
        self._steps = steps
        self._times = self._frame_times(64)
        with _one_thread():
            self._build(kinds, own)

    def _frame_times(self, count: int) -> np.ndarray:
        # The times do not depend on the number of frames: the gaps are one
        # sequence.
        rng = np.random.default_rng([self.seed, self.run, 4])
        return frame_times(self.scene, self._steps, count, rng)

    def _build(self, kinds: tuple[str, ...], own: bool) -> None:
        """Make the run's textures, pipe and defects; set its exposure."""
        scene = self.scene
        # The texture does not depend on the size of the frames: its resolution
        # is that of the nearest pixels of a frame 448 pixels wide.
        nominal = 224 / np.tan(scene.hfov / 2)
        nearest = scene.radius * nominal / 275**2
        footprint = float(np.clip(0.8 * nearest, 0.0005, 0.0025))
        rng = np.random.default_rng([self.seed, self.run, 2])
        looks = Looks(scene, rng)
        # The stretch that a crawler passes, plus some radii ahead. Requested
        # defects must be visible from the first frames.
        passed = 24 if own else 8
        ahead = 6 * scene.radius + self._times[passed] * scene.step
        number = (self.seed, self.run)
        # Anything nearer is outside the first frame.
        start = 0.9 * scene.radius / np.tan(0.4 * scene.hfov) + 0.05
        places = draw_places(*number, len(kinds), start, ahead)
        ring = shift_joints(
            kinds, places, ring_joints(scene, rng), RING_LENGTH
        )
        table, perimeter = perimeter_table(*scene.shape)
        wall = Wall(scene, rng, footprint, ring, perimeter)
        self._water_texture(rng, looks)
        joints = joints_of(ring, RING_LENGTH)
        self.defects = draw_defects(
            *number, kinds, places, scene.radius, joints[joints > 0]
        )
        segments = lay_segments(
            scene,
            joints,
            joint_steps(self.defects, scene, joints),
            squeezes(self.defects),
            rng,
        )
        self._world = World(
            scene=scene,
            wall=wall,
            looks=looks,
            pipe=Pipe(scene.shape, segments, scene.water, FAR),
            bodies=build_bodies(self.defects, scene, segments, *number),
            decals=build_decals(
                self.defects, scene.shape, table, perimeter, *number
            ),
            defects=self.defects,
            table=(
                None
                if scene.shape[0] == CIRCULAR
                else table.astype(np.float32)
            ),
            perimeter=perimeter,
        )
        previews = [
            self._light(frame, (112, 80))[0].light for frame in _METERED
        ]
        self._gains = [
            meter(light, scene.exposure, scene.shoulder) for light in previews
        ]

    def _water_texture(self, rng: np.random.Generator, looks: Looks) -> None:
        surface = spectral_noise(rng, (256, 256), (4, 100), 1.3)
        along, across = slopes(surface)
        scum = spectral_noise(rng, (256, 256), (4, 90), 1.4)
        scum -= np.quantile(scum, 1 - looks.scum)
        stack = np.stack([across, along], -1)
        stack /= stack.std()
        self._ripples = MipAtlas(np.dstack([stack, scum]), 6)

    def _light(
        self,
        frame: int,
        size: tuple[int, int],
        rng: np.random.Generator | None = None,
    ) -> tuple[Rendered, Camera]:
        world = self._world
        if frame >= len(self._times):
            self._times = self._frame_times(2 * frame)
        time = float(self._times[frame])
        camera = camera_of(self.scene, world.pipe.segments, time, size, rng)
        ripples = Ripples(
            self._ripples,
            2.0 * self.scene.radius,
            world.looks.ripple,
            world.looks.flow * time,
            1 / camera.focal,
        )
        rendered: Rendered = render(world, ripples, camera, size)
        return rendered, camera

    def frame(self, index: int) -> SimFrame:
        """Render a frame.

        Args:
            index: Number of the frame, non-negative; the camera advances
                or zooms in with it.

        Returns:
            Image, depth, camera and defects.

        Raises:
            ValueError: If the number is negative.
        """
        if index < 0:
            raise ValueError(f'frame must be at least 0, not {index}')
        with _one_thread():
            rng = None
            if self.noise:
                rng = np.random.default_rng([self.seed, self.run, 3, index])
            # Lens and exposure vary between stills, but hardly between the
            # frames of a recording.
            stills = self._steps != 'video'
            lens = rng if stills else None
            rendered, camera = self._light(index, self.size, lens)
            # The camera adapts slowly, and not quite evenly.
            gain = np.exp(np.interp(index, _METERED, np.log(self._gains)))
            if rng is not None:
                gain *= np.exp(rng.normal(0, 0.04 if stills else 0.004))
            image, overlay = capture(
                self.scene,
                rendered.light,
                float(gain),
                rng,
                self._caption,
                index,
            )
        return SimFrame(
            image,
            rendered.depth,
            camera.pose,
            camera.matrix,
            rendered.defect,
            overlay,
        )
