"""Data sets of a camera that costs nothing, in place of the simulator's."""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from mmdsr.sim.data.dataset import write_dataset
from mmdsr.sim.data.splits import Plan, RunPlan


class FakeFrame(NamedTuple):
    image: np.ndarray
    depth: np.ndarray
    pose: np.ndarray
    intrinsics: np.ndarray
    defect: np.ndarray
    overlay: np.ndarray


class FakeRun:
    """Like `mmdsr.sim.PipeRun`.

    Defects 1 and 2 are squares that grow with the frame's number, the others
    stay specks.
    """

    def __init__(
        self,
        seed,
        run,
        size,
        noise=True,
        defects=None,
        overlay=False,
        steps='even',
    ):
        self.seed, self.run, self.size = seed, run, tuple(size)
        self.text = overlay
        rng = np.random.default_rng([seed, run])
        self.scene = SimpleNamespace(filled=0.1 * rng.random())
        kinds = ('FS',) if defects is None else defects
        self.defects = tuple(SimpleNamespace(kind=kind) for kind in kinds)

    def frame(self, k):
        width, height = self.size
        rng = np.random.default_rng([self.seed, self.run, k])
        image = rng.integers(60, 200, (height, width, 3), dtype=np.uint8)
        defect = np.zeros((height, width), np.uint8)
        for i in range(len(self.defects)):
            side = 1 if i >= 2 else 4 + k
            row, col = 8 + 2 * k, 4 + i * width // 4
            defect[row : row + side, col : col + side] = i + 1
        overlay = np.zeros((height, width), bool)
        if self.text:
            overlay[:10] = True
            image[overlay] = 255
        depth = np.full((height, width), 1 + 0.1 * k, np.float32)
        pose = np.eye(4)
        pose[2, 3] = 0.05 * k
        focal = width / 2.0
        intrinsics = np.array(
            [[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]
        )
        return FakeFrame(image, depth, pose, intrinsics, defect, overlay)


KINDS = {
    'refsr': (None, None, None),
    'pipe': (('FS', 'IN'), (), ('IL', 'RO', 'FS')),
    'multilabel': (('RB', 'IL'), (), ('AF',)),
}


def tiny_plan(layout='refsr', seed=5, frames=(0, 1), size=(64, 64)):
    """Three runs, the last for testing; the second has text."""
    runs = tuple(
        RunPlan(run, 'test' if run == 2 else 'train', frames, kinds, run == 1)
        for run, kinds in enumerate(KINDS[layout])
    )
    settings = {'name': f'tiny-{layout}', 'seed': seed, 'frames': [*frames]}
    return Plan(layout, size, seed, 'bicubic', settings, runs)


def make(out, plan, **kwargs):
    return write_dataset(out, plan, camera=FakeRun, **kwargs)
