"""Depth maps of a folder of frames, in a parallel folder."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mmdsr.depth.base import DepthMap, DepthProvider
from mmdsr.depth.origin import encode_map, origin_of, refuse_stale
from mmdsr.io.folder_job import JobReport, ManifestJob
from mmdsr.io.frames import find_runs, read_rgb, shown
from mmdsr.io.staging import Staging

Progress = Callable[[Iterable, str, int], Iterable]
"""``progress(iterable, text, total)`` returns the iterable, shown as progress.
"""

FORMAT = 'mmdsr-depth-maps'


@dataclass
class Report(JobReport):
    """Outcome for the images.

    Attributes:
        fallback: Reason why the map of an image is only a fallback, for maps
            written now.
    """

    fallback: dict[str, str] = field(default_factory=dict)

    def refuse_empty(self, what: str) -> None:
        """Raise an error if no image has a map.

        Args:
            what: What to call the images.

        Raises:
            ValueError: If no image has a map; the message has the first
                reason.
        """
        if not self.written and not self.kept:
            image, reason = next(iter(self.failed.items()))
            raise ValueError(
                f'None of the {self.total} {what} got a depth map: '
                f'{image}: {reason}'
            )


def estimate(
    provider: DepthProvider, path: Path, name: str, report: Report
) -> tuple[DepthMap, str] | None:
    """Read an image and estimate its depth; record failures.

    Args:
        provider: Source of the depth.
        path: The image.
        name: Name in the report.
        report: Report for failures and fallbacks.

    Returns:
        The depth, and what it was made from; None after a failure.
    """
    try:
        # Before the image is read, so that a change in between is noticed.
        origin = origin_of(path, provider)
        image, _ = read_rgb(path)
        found = provider(image, path)
    except (OSError, ValueError) as error:
        text = str(error).splitlines()
        report.failed[name] = text[0] if text else type(error).__name__
        return None
    if found.problem:
        report.fallback[name] = found.problem
    return found, origin


def frames_depth(
    frames: str | Path,
    out: str | Path,
    provider: DepthProvider,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Write a depth map for every frame of a folder.

    The maps are 16-bit PNG in millimeters, 0 = unknown, and lie in ``out`` as
    the frames lie in ``frames``: what
    :func:`mmdsr.converters.frames_to_refsr.frames_to_refsr` takes as
    ``depth``. ``out`` appears when all frames have been processed; a repeated
    call resumes after an interruption. Called again with the same settings, it
    adds only missing maps; a map records what it was made from, and those of
    images or of a source of depth that have changed since are refused.

    Args:
        frames: A folder of frames, or a folder with one subfolder for each
            run.
        out: Folder to be made.
        provider: Source of the depth.
        overwrite: Replace existing maps.
        progress: ``progress(iterable, text, total)`` wraps an iterable to show
            its progress.

    Returns:
        Summary of what was written and what was left out.

    Raises:
        FileExistsError: If ``out`` is in the way, or its maps were made from
            something else.
        FileNotFoundError: If there are no frames.
        ValueError: If the frames or the folders do not fit, or no frame got
            a map.
    """
    frames, out = Path(frames), Path(out)
    if out.resolve().is_relative_to(frames.resolve()):
        raise ValueError(
            f'{out} is inside the folder of the frames: choose another folder.'
        )
    show = progress or (lambda items, text, total: items)
    jobs = {
        frame.path.relative_to(frames).with_suffix('.png'): frame.path
        for run in find_runs(frames)
        for frame in run.frames
    }
    settings = {
        'tool': 'make_depth',
        'provider': provider.describe(),
        'frames': frames.resolve().name,
    }
    report = Report(total=len(jobs))

    def make(path: Path) -> bytes | None:
        found = estimate(provider, path, shown(path), report)
        return None if found is None else encode_map(found[0].depth, found[1])

    sources = [frames, *jobs.values()]
    if provider.source is not None:
        sources.append(Path(provider.source))
    there, staging = ManifestJob(out, settings, FORMAT), None
    if overwrite or not there.is_own():
        staging = Staging(
            out, settings, overwrite, resumable=True, sources=sources
        )
    job = staging.job if staging else there
    refuse_stale(job, jobs, provider, overwrite)
    job.run(show(jobs.items(), 'Estimating', len(jobs)), make, report)
    try:
        report.refuse_empty('frames')
    except ValueError:
        if staging:
            staging.discard()
        raise
    if staging:
        staging.publish(
            {}, lambda name: name in jobs, generator=settings, format=FORMAT
        )
    return report
