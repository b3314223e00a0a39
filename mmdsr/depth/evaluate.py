"""Depth providers against exact depth."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmdsr.depth.base import DepthProvider
from mmdsr.depth.build import build_provider
from mmdsr.depth.vanishing import find_vanishing_point
from mmdsr.evaluation.depth_metrics import depth_errors
from mmdsr.io.frames import SUFFIXES, read_rgb
from mmdsr.io.images import downscale_depth, read_depth
from mmdsr.io.manifest import SPLITS, run_of

FAR = 50.0
"""Depths beyond this are not compared: no camera sees there."""


class Case(NamedTuple):
    """A frame whose depth is known.

    Attributes:
        groups: Names of the groups in whose means it counts.
        image: ``(H, W, 3)`` uint8 RGB.
        depth: ``(H / s, W / s)`` meters, NaN = unknown.
        path: The frame's file, if there is one.
        camera: Radius of the pipe in meters and horizontal field of view in
            degrees, if known.
    """

    groups: tuple[str, ...]
    image: np.ndarray
    depth: np.ndarray
    path: Path | None = None
    camera: tuple[float, float] | None = None


def simulated_cases(
    seed: int,
    runs: Iterable[int],
    frames: Iterable[int],
    size: tuple[int, int] = (448, 320),
) -> Iterator[Case]:
    """Render frames of SewerSim.

    Args:
        seed: Seed of the data set.
        runs: Numbers of the runs.
        frames: Numbers of the frames of each run.
        size: Width and height.

    Yields:
        Grouped by material, section and motion.
    """
    from mmdsr.sim import PipeRun

    frames = list(frames)
    for number in runs:
        run = PipeRun(seed, number, size)
        scene = run.scene
        groups = (
            scene.material.name,
            scene.section,
            scene.motion,
            'water' if scene.water is not None else 'dry',
        )
        for index in frames:
            frame = run.frame(index)
            focal = frame.intrinsics[0, 0]
            hfov = np.rad2deg(2 * np.arctan(size[0] / 2 / focal))
            yield Case(
                groups,
                frame.image,
                frame.depth,
                camera=(scene.radius, float(hfov)),
            )


def dataset_cases(
    root: str | Path, split: str = 'test', max_samples: int | None = None
) -> Iterator[Case]:
    """Read the frames and the depth of a data set.

    Args:
        root: Root of a data set in the layout of
            :mod:`mmdsr.io.layout`, with ``depth_lr``.
        split: ``'train'`` or ``'test'``.
        max_samples: Take this many, evenly spread.

    Yields:
        Grouped by run.

    Raises:
        FileNotFoundError: If there is no image with a depth map.
        ValueError: If a file does not fit.
    """
    if split not in SPLITS:
        raise ValueError(f'split must be one of {SPLITS}, not {split!r}.')
    folder = Path(root) / split
    maps = {
        path.stem: path
        for path in sorted(folder.glob('depth_lr/*'))
        if path.suffix in ('.png', '.npy')
    }
    pairs = [
        (path, maps[path.stem])
        for path in sorted(folder.glob('hr/*'))
        if path.stem in maps and path.suffix.lower() in SUFFIXES
    ]
    if not pairs:
        raise FileNotFoundError(
            f'{folder} contains no image in hr with a map in depth_lr.'
        )
    take = min(max_samples or len(pairs), len(pairs))
    for i in range(take):
        path, depth = pairs[i * len(pairs) // take]
        yield Case(
            (f'run {run_of(path.stem)}',),
            read_rgb(path)[0],
            read_depth(depth),
            path,
        )


def evaluate(
    cases: Iterable[Case],
    name: str,
    options: dict[str, Any] | None = None,
    align: str = 'none',
    use_camera: bool = False,
    far: float = FAR,
) -> dict[str, dict[str, float]]:
    """Compare a provider with exact depth.

    The predicted map is reduced to the size of the true one as all depth of
    the layout is.

    Args:
        cases: The frames.
        name: Name of the provider.
        options: Its options.
        align: Mode of
            :func:`mmdsr.evaluation.depth_metrics.align_scale`.
        use_camera: Give ``pipe`` the radius and the field of view of each
            frame.
        far: Largest true depth that counts, meters.

    Returns:
        Of every group, and of ``'all'``: the number of ``frames``; the means
        over frames of ``abs_rel``, ``delta_1.25``, ``scale_invariant`` and
        ``known``; ``fallback``, the share of fallbacks; for ``pipe`` also
        ``vanishing_point``, the median distance to the farthest point in
        percent of the width. A frame for which the provider fails counts in
        ``failed`` only.

    Raises:
        ValueError: If the arguments do not fit.
    """
    options = dict(options or {})
    if use_camera and name != 'pipe':
        raise ValueError(
            "Only the provider 'pipe' can use the camera of each frame."
        )
    fixed = None if use_camera else build_provider(name, **options)
    table: dict[str, list[dict[str, float] | None]] = {}
    for case in cases:
        provider = fixed
        if provider is None:
            if case.camera is None:
                raise ValueError('The camera of these frames is unknown.')
            radius, hfov = case.camera
            provider = build_provider(
                name, **{**options, 'radius': radius, 'hfov': hfov}
            )
        row = _row(provider, case, align, far)
        for group in ('all', *case.groups):
            table.setdefault(group, []).append(row)
    return {group: _mean(rows) for group, rows in table.items()}


def farthest_point(depth: np.ndarray) -> tuple[float, float]:
    """Return the center of the farthest pixels.

    Args:
        depth: ``(H, W)`` meters, NaN = unknown.

    Returns:
        X and y from the upper left corner, relative to the width.
    """
    known = np.where(np.isfinite(depth), depth, 0)
    y, x = np.nonzero(known >= 0.9 * known.max())
    return (x.mean() + 0.5) / depth.shape[1], (y.mean() + 0.5) / depth.shape[1]


def _row(
    provider: DepthProvider, case: Case, align: str, far: float
) -> dict[str, float] | None:
    try:
        found = provider(case.image, case.path)
        predicted = _fit(found.depth, case.depth.shape)
        true = np.where(case.depth <= far, case.depth, np.nan)
        row = depth_errors(predicted, true, align)
    except ValueError:
        return None
    row['fallback'] = float(bool(found.problem))
    if provider.name == 'pipe' and not found.problem:
        point = find_vanishing_point(case.image)
        width = case.image.shape[1]
        x, y = farthest_point(case.depth)
        row['vanishing_point'] = 100 * float(
            np.hypot(point.x / width - x, point.y / width - y)
        )
    return row


def _fit(depth: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Reduce a map to a shape, a whole part of its own."""
    scale = round(depth.shape[0] / shape[0])
    if (shape[0] * scale, shape[1] * scale) != depth.shape:
        raise ValueError(f'{depth.shape} is not a multiple of {shape}.')
    return depth if scale == 1 else downscale_depth(depth, scale)


def _mean(rows: Sequence[dict[str, float] | None]) -> dict[str, float]:
    good = [row for row in rows if row is not None]
    result: dict[str, float] = {
        'frames': len(rows),
        'failed': len(rows) - len(good),
    }
    for key in dict.fromkeys(key for row in good for key in row):
        values = [row[key] for row in good if key in row]
        mean = np.median if key == 'vanishing_point' else np.mean
        result[key] = float(mean(values))
    return result
