"""Which runs and frames make a data set, and which defects they show.

A data set is planned before anything is rendered: the plan says for each run
its split, frames, defects and whether text is burned in. Defects are balanced
in blocks of eight runs, shuffled by the seed, so that every stretch of runs is
balanced and ``mini`` is the beginning of ``full``. The simulator goes through
the materials in blocks of eight runs, too; the shuffle keeps material and
defect independent.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from mmdsr.io.manifest import SPLITS
from mmdsr.sim.data.degrade import Degradation
from mmdsr.sim.data.labels import SEWER_ML_CLASSES, label_rules
from mmdsr.sim.trace.motion import (
    SPREAD_RADII,
    SPREAD_ZOOM,
    STEPS,
    VIDEO_RADII,
    VIDEO_ZOOM,
)

SCALE = 4
SIM_VERSION = 3
"""Incremented when the same seed gives different files than before.

Version 3 has ``steps``. With ``steps='even'`` every image is that of version
2, and only the manifest differs.
"""

DEGRADATIONS = ('bicubic', 'realistic')
SUBSETS = ('full', 'mini')

_Shown = tuple[tuple[str, ...] | None, bool]
"""Defects of a run, None for its own, and whether text is burned in."""

_BLOCK = 8
# Runs of the Pipe set: each class in half of them, one run in eight without.
_PIPE_BLOCK = (
    (),
    ('FS',),
    ('IL',),
    ('IN',),
    ('FS', 'IL'),
    ('FS', 'IN'),
    ('IL', 'IN'),
    ('FS', 'IL', 'IN'),
)


@dataclass(frozen=True)
class RunPlan:
    """The samples of one run.

    Attributes:
        run: Number of the run, unique across splits and named data sets.
        split: ``'train'`` or ``'test'``.
        frames: Numbers of the frames; the reference of each is the next.
        defects: Kinds, one instance each; None lets the run draw its own.
        overlay: Whether text is burned in.
    """

    run: int
    split: str
    frames: tuple[int, ...]
    defects: tuple[str, ...] | None = None
    overlay: bool = False


@dataclass(frozen=True)
class Plan:
    """A data set to be made.

    Attributes:
        layout: ``'refsr'``, ``'pipe'`` or ``'multilabel'``.
        size: Width and height of the images.
        seed: Seed of the whole data set.
        degradation: How the low-resolution images are made.
        settings: All parameters, as stored in the manifest.
        runs: The runs in order.
        steps: How far the camera moves from frame to frame.
    """

    layout: str
    size: tuple[int, int]
    seed: int
    degradation: str
    settings: dict
    runs: tuple[RunPlan, ...] = field(repr=False)
    steps: str = 'even'

    @property
    def total(self) -> int:
        """Number of samples."""
        return sum(len(run.frames) for run in self.runs)

    def samples(self) -> Iterator[tuple[str, str]]:
        """Return the split and name of each sample, in order."""
        for run in self.runs:
            for frame in run.frames:
                yield run.split, stem_of(run.run, frame)


@dataclass(frozen=True)
class _Named:
    layout: str
    size: tuple[int, int]
    first_run: int
    runs: dict  # subset: (train runs, test runs)
    frames: dict  # subset: frames per run
    step: int = 1  # between the frames of a run


# The defects lie where the first frames look, and frames 0 to 8 show most of
# them. More runs therefore add more variety than more frames.
#
# The first runs of the sets are 10,000 apart, and the test runs start 5,000
# later, so that a network trained on one set has never seen a pipe of another
# set's test split, in either subset.
_TEST_OFFSET = 5000
NAMED = {
    'sewersim-sr': _Named(
        'refsr',
        (448, 320),
        10000,
        {'full': (240, 42), 'mini': (20, 4)},
        {'full': 25, 'mini': 10},
    ),
    'sewersim-pipe': _Named(
        'pipe',
        (256, 256),
        20000,
        {'full': (1000, 200), 'mini': (60, 20)},
        {'full': 4, 'mini': 4},
        step=2,
    ),
    'sewersim-ml': _Named(
        'multilabel',
        (352, 288),
        30000,
        {'full': (1200, 240), 'mini': (120, 40)},
        {'full': 5, 'mini': 5},
        step=2,
    ),
}
"""The named data sets."""


def stem_of(run: int, frame: int) -> str:
    """Sample name of a frame."""
    return f'run{run:04d}_{frame:04d}'


def plan_custom(
    runs: int,
    frames: int,
    size: tuple[int, int] = (448, 320),
    seed: int = 0,
    test_runs: int | None = None,
    degradation: str = 'bicubic',
    steps: str = 'even',
) -> Plan:
    """Plan a super-resolution data set of any length.

    Args:
        runs: Number of camera runs.
        frames: Samples per run. One more frame is rendered as the
            reference of the last sample.
        size: Width and height of hr and ref in pixels, each a multiple of
            4 and at least 64.
        seed: Seed of the whole data set, non-negative.
        test_runs: Number of runs, from the end, in the test split. Defaults to
            an eighth of the runs, at least one if there are two or more.
        degradation: ``'bicubic'``, the paper's, or ``'realistic'``.
        steps: ``'even'``, ``'spread'`` or ``'video'``, see
            `mmdsr.sim.trace.motion.frame_times`.

    Returns:
        The plan.

    Raises:
        ValueError: If a setting is out of range; the message says how to fix
            it.
    """
    if runs < 1 or frames < 1:
        raise ValueError(
            f'runs and frames must be at least 1, not {runs} and {frames}'
        )
    _check_seed(seed)
    if len(size) != 2 or any(side % SCALE or side < 64 for side in size):
        raise ValueError(
            f'width and height must be multiples of {SCALE} and at least 64, '
            f'not {tuple(size)}'
        )
    if test_runs is None:
        test_runs = max(1, runs // 8) if runs > 1 else 0
    if not 0 <= test_runs < runs:
        raise ValueError(
            'test_runs must leave a run to train on: between 0 and '
            f'{runs - 1} of {runs} runs, not {test_runs}'
        )
    size = (int(size[0]), int(size[1]))
    settings = {
        'name': 'sewersim',
        'version': SIM_VERSION,
        'runs': runs,
        'frames': frames,
        'size': list(size),
        'seed': seed,
        'test_runs': test_runs,
        'degradation': _degradation(degradation),
        'steps': _steps(steps),
    }
    first_test = runs - test_runs
    plans = tuple(
        RunPlan(
            run,
            SPLITS[0] if run < first_test else SPLITS[1],
            (*range(frames),),
        )
        for run in range(runs)
    )
    return Plan('refsr', size, seed, degradation, settings, plans, steps)


def plan_named(
    name: str,
    subset: str = 'full',
    seed: int = 0,
    degradation: str = 'bicubic',
    steps: str | None = None,
) -> Plan:
    """Plan one of the named data sets.

    Args:
        name: A key of `NAMED`.
        subset: ``'full'`` or ``'mini'``.
        seed: Seed of the whole data set, non-negative.
        degradation: ``'bicubic'`` or, for super-resolution only,
            ``'realistic'``.
        steps: For super-resolution only: ``'spread'``, the default,
            ``'video'``, or ``'even'``, as in version 2 of the simulator.

    Returns:
        The plan.

    Raises:
        ValueError: If a setting is not one of these.
    """
    if name not in NAMED:
        raise ValueError(
            f'there is no data set {name!r}: choose one of {", ".join(NAMED)}'
        )
    if subset not in SUBSETS:
        raise ValueError(f'subset must be one of {SUBSETS}, not {subset!r}')
    _check_seed(seed)
    named = NAMED[name]
    if named.layout != 'refsr' and degradation != 'bicubic':
        raise ValueError(
            f'{name} has no low-resolution images to degrade: omit the '
            'degradation'
        )
    if named.layout != 'refsr' and steps is not None:
        raise ValueError(
            f'{name} always has even steps, chosen to show its defects: omit '
            'the steps'
        )
    if steps is None:
        steps = 'spread' if named.layout == 'refsr' else 'even'
    frames = named.frames[subset]
    counts = dict(zip(SPLITS, named.runs[subset], strict=True))
    first = {
        'train': named.first_run,
        'test': named.first_run + _TEST_OFFSET,
    }
    settings = {
        'name': name,
        'subset': subset,
        'version': SIM_VERSION,
        'seed': seed,
        'size': list(named.size),
        'runs': counts,
        'first_run': first,
        'frames': frames,
        'frame_step': named.step,
    }
    if named.layout == 'refsr':
        settings['degradation'] = _degradation(degradation)
        settings['steps'] = _steps(steps)
    else:
        settings['labels'] = label_rules()
    picked = tuple(range(0, frames * named.step, named.step))
    plans = [
        RunPlan(first[split] + i, split, picked, *shown)
        for split in SPLITS
        for i, shown in enumerate(
            _shown(named.layout, seed, first[split], counts[split])
        )
    ]
    return Plan(
        named.layout,
        named.size,
        seed,
        degradation,
        settings,
        tuple(plans),
        steps,
    )


def _shown(layout: str, seed: int, first: int, count: int) -> list[_Shown]:
    """Defects and overlay of each run."""
    if layout == 'refsr':
        return [(None, False)] * count
    runs: list[_Shown] = []
    while len(runs) < count:
        rng = np.random.default_rng([seed, first, len(runs), 50])
        if layout == 'pipe':
            block: list[_Shown] = [(kinds, False) for kinds in _PIPE_BLOCK]
        else:
            block = _multilabel_block(rng)
        runs += [block[i] for i in rng.permutation(_BLOCK)]
    return runs[:count]


def _multilabel_block(
    rng: np.random.Generator,
) -> list[_Shown]:
    """Two runs without defects and six with a pair; each kind once.

    A quarter of the runs has text, independently of their defects.
    """
    kinds = rng.permutation(sorted(SEWER_ML_CLASSES)).tolist()
    pairs = [tuple(kinds[i : i + 2]) for i in range(0, len(kinds), 2)]
    defects = pairs + [()] * (_BLOCK - len(pairs))
    text = rng.permutation(_BLOCK) < _BLOCK // 4
    return list(zip(defects, text.tolist(), strict=True))


def _degradation(name: str) -> dict[str, Any]:
    """Return the name and parameters of a degradation, for the manifest."""
    if name not in DEGRADATIONS:
        raise ValueError(
            f'degradation must be one of {DEGRADATIONS}, not {name!r}'
        )
    if name == 'bicubic':
        return {'name': name}
    # In the form that JSON returns, for comparison with a manifest.
    return {'name': name, **json.loads(json.dumps(asdict(Degradation())))}


def _steps(name: str) -> dict[str, Any]:
    """Return the name and ranges of the steps, for the manifest."""
    if name not in STEPS:
        raise ValueError(f'steps must be one of {STEPS}, not {name!r}')
    if name == 'even':
        return {'name': name}
    if name == 'video':
        return {'name': name, 'radii': VIDEO_RADII, 'zoom': VIDEO_ZOOM}
    return {
        'name': name,
        'radii': list(SPREAD_RADII),
        'zoom': list(SPREAD_ZOOM),
    }


def _check_seed(seed: int) -> None:
    if seed < 0:
        raise ValueError(f'seed must not be negative, not {seed}')
