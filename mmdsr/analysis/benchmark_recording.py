"""Speed of enhancing a recording, with and without overlapping steps."""

import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from mmdsr.inference.super_resolver import SuperResolver
from mmdsr.recording.export import enhance_recording
from mmdsr.recording.options import RecordingOptions


@dataclass(frozen=True)
class Timing:
    """Time and memory of one run.

    Attributes:
        overlap: Whether the steps ran concurrently.
        frames: Number of frames of the film.
        seconds: Total time, joining included.
        peak: Peak memory of this process so far, in MiB.
    """

    overlap: bool
    frames: int
    seconds: float
    peak: float

    @property
    def rate(self) -> float:
        """Frames per second."""
        return self.frames / self.seconds


def gains(timings: list[Timing]) -> list[float]:
    """Return the speedup of overlapped runs.

    Args:
        timings: Results of :func:`time_recording`.

    Returns:
        The factor of each pair of runs, in ascending order.
    """
    pairs = zip(timings[::2], timings[1::2], strict=True)
    return sorted(after.rate / before.rate for before, after in pairs)


def time_recording(
    resolver: SuperResolver,
    source: Path,
    options: RecordingOptions,
    suffix: str = '.mp4',
    device: str = 'cpu',
    repeats: int = 1,
) -> list[Timing]:
    """Enhance a recording with sequential and with overlapping steps.

    Args:
        resolver: Resolver to enhance with.
        source: The recording.
        options: Options of the recording.
        suffix: Suffix of the film.
        device: Device to run on.
        repeats: Number of runs of each kind, in turn.

    Returns:
        The timing of each run, in order.
    """
    timings = []
    for overlap in [False, True] * repeats:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / f'film{suffix}'
            begun = time.perf_counter()
            report = enhance_recording(
                resolver, source, target, options, device, overlap=overlap
            )
            seconds = time.perf_counter() - begun
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        timings.append(Timing(overlap, report.total, seconds, peak))
    return timings
