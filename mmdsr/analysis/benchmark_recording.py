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
        overlap: Whether the steps ran beside each other.
        frames: Frames of the film.
        seconds: From start to end, joining included.
        peak: Largest memory of this process so far, in MiB.
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
    """Return how many times as fast overlapped runs are.

    Args:
        timings: Of :func:`time_recording`.

    Returns:
        A number for each pair of runs, the least first.
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
    """Enhance a recording one step after the other, and overlapped.

    Args:
        resolver: What to enhance with.
        source: The recording.
        options: What is enhanced of it.
        suffix: Of the film.
        device: Where to compute.
        repeats: How often each way is taken, in turn.

    Returns:
        A line for each run, in their order.
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
