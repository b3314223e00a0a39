"""Turn folders of frames into a reference-based super-resolution data set."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mmdsr.converters.summary import Summary
from mmdsr.io.frames import (
    Frame,
    Run,
    attach_depth,
    check_frame,
    find_runs,
    frame_name,
    read_rgb,
    real_path,
    refuse,
    shown,
)
from mmdsr.io.images import DEPTH_UNIT, read_depth
from mmdsr.io.layout import RefSRWriter

REFERENCES = ('next', 'previous', 'nearest-sharp')
_OTHER_SIZE = 'its reference has a different size'


def frames_to_refsr(
    frames: Path | str,
    out: Path | str,
    scale: int = 4,
    reference: str = 'next',
    gap: int = 1,
    holdout: Sequence[Any] = (0.2,),
    depth: Path | str | None = None,
    depth_unit: float = DEPTH_UNIT,
    on_error: str = 'refuse',
    odd_size: str = 'refuse',
    overwrite: bool = False,
    progress: Callable[..., Any] | None = None,
) -> Summary:
    """Write the data set of some frames.

    Every frame is decoded before anything is written. A sample is a frame
    with another frame of its run as reference:

    - ``'next'``, ``'previous'``: the frame ``gap`` places after or before.
      If the camera looks in its direction of travel, the next frame shows the
      same wall from closer and in more detail, and is the better reference.
    - ``'nearest-sharp'``: the sharpest (variance of the Laplacian) of the
      frames at most ``gap`` places away, the nearer of two equal ones.

    A frame whose reference does not exist, is unusable or has another size
    does not become a sample. No frame farther away takes the place of the
    reference.

    **Holding out.** ``holdout`` names runs for the test split, or is a
    fraction. With several runs it is the fraction of the runs: the last ones
    in natural order, at least one, and at least one run is left for training
    (1 puts all runs into the test split, 0 none). With one run the last part
    of its frames is the test split, the ``gap`` frames before it are dropped,
    and no pair crosses the cut; hence no test frame is a training image or
    reference. The two parts are named ``RUN-train`` and ``RUN-test``.

    Args:
        frames: A folder of frames, or a folder with one sub-folder for each
            run.
        out: Root of the new data set.
        scale: Reduction factor.
        reference: See above.
        gap: See above, >= 1.
        holdout: Names of runs, or one fraction in [0, 1].
        depth: Folder of depth maps at the frames' full size, laid out and
            named like the frames: 16-bit PNG, 0 = unknown, or ``.npy`` in
            meters. Frames without one are kept.
        depth_unit: Meters per step of the 16-bit PNG.
        on_error: For frames that are unreadable, truncated, too small or of an
            unknown kind, or of another size than their reference: ``'refuse'``
            writes nothing, ``'skip'`` leaves them out.
        odd_size: For frames whose sides are no multiple of ``scale``:
            ``'refuse'``, ``'skip'``, or ``'crop'`` at the right and bottom.
        overwrite: Replace an existing data set.
        progress: ``progress(iterable, text, total)`` wraps an iterable to show
            its progress.

    Returns:
        Summary of what was written and what was left out.

    Raises:
        ValueError: If an argument or a file is refused, or no sample is
            left.
        FileExistsError: If ``out`` is in the way.
        FileNotFoundError: If there are no frames or no depth maps.
    """
    _check_arguments(scale, reference, gap, on_error, odd_size)
    frames, out = Path(frames), Path(out)
    if real_path(out).is_relative_to(real_path(frames)):
        raise ValueError(
            f'{out} is inside the folder of the frames: choose another folder.'
        )
    show = progress or (lambda items, text, total: items)
    settings = {
        'tool': 'frames_to_refsr',
        'reference': reference,
        'gap': gap,
        'holdout': [str(value) for value in holdout],
        'odd_size': odd_size,
        'depth': depth is not None,
    }
    summary = Summary(out)
    runs = find_runs(frames, exclude=[Path(depth)] if depth else ())
    parts = split_runs(runs, holdout, gap, summary)
    if depth:
        summary.without_depth = attach_depth(runs, frames, Path(depth))
    files = [frame for run in runs for frame in run.frames]
    sources = [
        frames,
        *([Path(depth)] if depth else ()),
        *(frame.path for frame in files),
        *(frame.depth_path for frame in files if frame.depth_path),
    ]
    with RefSRWriter(
        out, scale, settings, overwrite, sources=sources
    ) as writer:
        _check_frames(
            runs, summary, scale, odd_size, reference, on_error, show
        )
        jobs = list(_pair(parts, reference, gap, summary))
        if on_error == 'refuse':
            refuse(
                [
                    f'{name}: {_OTHER_SIZE}'
                    for name in summary.dropped.get(_OTHER_SIZE, ())
                ],
                'Give all frames of a run the same size, or leave such pairs '
                'out (--on-error skip).',
            )
        if not jobs:
            raise ValueError(
                f'No sample is left from {summary.frames} frames: '
                + '; '.join(
                    f'{k}: {len(v)}' for k, v in summary.dropped.items()
                )
            )
        load = _loader(scale, depth_unit, 2 * gap + 2)
        for split, run, frame, other in show(jobs, 'Writing', len(jobs)):
            hr, depth_hr = load(frame.path, frame.depth_path)
            ref, depth_ref = load(other.path, other.depth_path)
            stem = f'{run.name}_{frame_name(frame.path)}'
            writer.add(split, stem, hr, ref, depth_hr, depth_ref)
            summary.samples[split] += 1
    return summary


def split_runs(
    runs: list[Run], holdout: Sequence[Any], gap: int, summary: Summary
) -> list[tuple[str, Run]]:
    """Divide the runs between the splits; see :func:`frames_to_refsr`.

    Args:
        runs: The runs in natural order.
        holdout: Names of runs, or one fraction in [0, 1].
        gap: Frames to drop before the test part of a single run.
        summary: Receives the dropped frames.

    Returns:
        Split and run.

    Raises:
        ValueError: If a name or the fraction does not fit, or a value could
            be either.
    """
    names = [run.name for run in runs]
    holdout = [str(value) for value in holdout]
    check_holdout(holdout, names)
    if set(holdout) <= set(names):
        return [
            ('test' if run.name in holdout else 'train', run) for run in runs
        ]
    fraction = _fraction(holdout)
    if fraction is None:
        unknown = [name for name in holdout if name not in names]
        raise ValueError(
            f'There is no run {", ".join(unknown)}; the runs are '
            f'{", ".join(names)}. You can also give a fraction from 0 to 1.'
        )
    if fraction in (0, 1):
        split = 'test' if fraction else 'train'
        return [(split, run) for run in runs]
    if len(runs) > 1:
        count = min(max(1, round(fraction * len(runs))), len(runs) - 1)
        kept = len(runs) - count
        return [
            ('train' if i < kept else 'test', run)
            for i, run in enumerate(runs)
        ]
    (run,) = runs
    # A shorter part would contain no pair.
    count = max(round(fraction * len(run.frames)), gap + 1)
    cut = max(len(run.frames) - count, 0)
    start = max(cut - gap, 0)
    for frame in run.frames[start:cut]:
        summary.drop('between the training and the test split', frame.path)
    return [
        ('train', Run(f'{run.name}-train', run.frames[:start])),
        ('test', Run(f'{run.name}-test', run.frames[cut:])),
    ]


def check_holdout(holdout: Sequence[Any], names: Collection[str]) -> None:
    """Refuse a value that is the name of a run and a fraction at once.

    Args:
        holdout: Names of runs, or one fraction in [0, 1].
        names: Names of all runs.

    Raises:
        ValueError: If it could be either.
    """
    value = str(holdout[0]) if len(holdout) == 1 else ''
    fraction = _fraction([value])
    if value in names and fraction is not None:
        raise ValueError(
            f'--holdout {value} is both the name of a run and a fraction: '
            f'write {fraction:.6f} for the fraction, or rename the run to '
            'hold it out.'
        )


def find_reference(
    frames: list[Frame], index: int, reference: str, gap: int
) -> tuple[Frame | None, str]:
    """Choose the reference of a frame.

    Args:
        frames: The frames of a run, checked.
        index: Index of the frame.
        reference: ``'next'``, ``'previous'`` or ``'nearest-sharp'``.
        gap: Distance, or the largest one.

    Returns:
        The reference or None, and why it cannot be used ('' if it can).
    """
    if reference == 'nearest-sharp':
        near = [
            i
            for i in range(index - gap, index + gap + 1)
            if 0 <= i < len(frames) and i != index and not frames[i].problem
        ]
        if not near:
            return None, f'no usable frame within {gap}'
        alike = [i for i in near if frames[i].size == frames[index].size]
        if not alike:
            return frames[near[0]], _OTHER_SIZE
        best = max(alike, key=lambda i: (frames[i].sharpness, -abs(i - index)))
        return frames[best], ''
    other = index + (gap if reference == 'next' else -gap)
    if not 0 <= other < len(frames):
        end = 'end' if reference == 'next' else 'start'
        return None, f'no {reference} frame (the {end} of a run)'
    if frames[other].problem:
        return None, f'the {reference} frame is unusable'
    fits = frames[other].size == frames[index].size
    return frames[other], '' if fits else _OTHER_SIZE


def _check_arguments(
    scale: int, reference: str, gap: int, on_error: str, odd_size: str
) -> None:
    if scale < 2:
        raise ValueError(f'scale must be >= 2, not {scale}.')
    if gap < 1:
        raise ValueError(f'gap must be >= 1, not {gap}.')
    for name, value, choices in (
        ('reference', reference, REFERENCES),
        ('on_error', on_error, ('refuse', 'skip')),
        ('odd_size', odd_size, ('refuse', 'crop', 'skip')),
    ):
        if value not in choices:
            raise ValueError(
                f'{name} must be one of {choices}, not {value!r}.'
            )


def _fraction(holdout: Sequence[str | float]) -> float | None:
    if len(holdout) != 1:
        return None
    try:
        fraction = float(holdout[0])
    except ValueError:
        return None
    return fraction if 0 <= fraction <= 1 else None


def _check_frames(
    runs: Iterable[Run],
    summary: Summary,
    scale: int,
    odd_size: str,
    reference: str,
    on_error: str,
    show: Callable[..., Iterable[Any]],
) -> None:
    """Decode all frames; refuse or record those that cannot be used."""
    frames = [frame for run in runs for frame in run.frames]
    summary.frames = len(frames)
    sharp = reference == 'nearest-sharp'
    refused = []
    for frame in show(frames, 'Checking', len(frames)):
        check_frame(frame, scale, odd_size == 'crop', sharp)
        if frame.note and not frame.problem:
            summary.note(frame.note, frame.path)
        policy = odd_size if frame.odd else on_error
        if frame.problem and policy == 'refuse':
            refused.append(f'{shown(frame.path)}: {frame.problem}')
    refuse(
        refused,
        'Fix or remove them, or skip them (--on-error skip, --odd-size '
        'crop|skip).',
    )


def _pair(
    parts: Iterable[tuple[str, Run]],
    reference: str,
    gap: int,
    summary: Summary,
) -> Iterator[tuple[str, Run, Frame, Frame]]:
    """Yield split, run, frame and reference of every sample."""
    for split, run in parts:
        for i, frame in enumerate(run.frames):
            if frame.problem:
                summary.drop(frame.problem, frame.path)
                continue
            other, why = find_reference(run.frames, i, reference, gap)
            if why or other is None:
                detail = ''
                if other is not None:
                    name = shown(other.path.name)
                    detail = f' ({_size(frame)}, {name} {_size(other)})'
                summary.drop(why, frame.path, detail)
                continue
            yield split, run, frame, other


def _size(frame: Frame) -> str:
    """Return the size of a frame as text."""
    return 'x'.join(map(str, frame.size or ()))


def _loader(
    scale: int, depth_unit: float, size: int
) -> Callable[..., tuple[np.ndarray, np.ndarray | None]]:
    """Return a function that reads a frame and its depth, cut to size."""

    # Each frame is read as image and as reference, a few steps apart.
    @lru_cache(maxsize=size)
    def load(
        path: Path, depth_path: Path | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        image, _ = read_rgb(path)
        height, width = (side - side % scale for side in image.shape[:2])
        meters = None
        if depth_path is not None:
            meters = read_depth(depth_path, depth_unit)[:height, :width]
        return image[:height, :width], meters

    return load
