"""Enhance a few frames to preview the result and estimate the time."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from mmdsr.errors import VideoError
from mmdsr.evidence.collect import now
from mmdsr.evidence.options import EvidenceOptions
from mmdsr.inference.super_resolver import SuperResolver
from mmdsr.recording.evidence import begin_record, refuse_confidence
from mmdsr.recording.export import expected_frames
from mmdsr.recording.facts import Facts, read_facts
from mmdsr.recording.film import Film, Watch, read_reference
from mmdsr.recording.neighbors import Moment, offsets
from mmdsr.recording.options import RecordingOptions, film_suffix
from mmdsr.recording.outcome import film_settings
from mmdsr.recording.plan import Plan, make_plan
from mmdsr.recording.preview import MOST, check_previews, write_previews
from mmdsr.recording.size import check_size
from mmdsr.recording.writer import Shot
from mmdsr.video.matching import find_features, match_features
from mmdsr.video.spans import Spans

#: Positions of the frames, as shares of the film.
_PLACES = np.linspace(0.1, 0.9, MOST)


@dataclass
class Trial:
    """Result of enhancing a few frames.

    Attributes:
        source: The recording.
        facts: Metadata of the recording.
        plan: Text and region found in it.
        frames: Approximate number of frames of the film.
        seconds: Time per frame if the steps do not overlap.
        shots: The frames.
        times: Their times in seconds.
        paths: Their files; none in a dry run.
    """

    source: Path
    facts: Facts
    plan: Plan
    frames: int
    seconds: float
    shots: list[Shot]
    times: list[float]
    paths: list[Path] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield the lines that describe it."""
        facts = self.facts
        rate = f'{facts.rate:.3f}'.rstrip('0').rstrip('.')
        extra = [f'{facts.width}x{facts.height}', f'{rate} frames/s']
        if facts.variable:
            extra[-1] += ' on average (variable)'
        if facts.aspect != 1:
            extra.append(f'pixels {facts.sar}')
        if facts.turned:
            extra.append(f'turned by {facts.turned} degrees')
        extra += ['interlaced'] if facts.interlaced else []
        sounds = ', '.join(sound.codec for sound in facts.sounds)
        extra.append(f'sound: {sounds}' if sounds else 'no sound')
        yield (
            f'{self.source}: {facts.codec} in {facts.container}, '
            f'{", ".join(extra)}, {facts.duration:.1f} s'
        )
        height, width = self.shots[0].picture.shape[:2]
        count = f'{self.frames} frame{"s" * (self.frames != 1)}'
        yield f'About {count} of {width}x{height} to be written'
        for x, y, w, h in self.plan.texts:
            yield f'Burned-in text at {x},{y},{w},{h}'
        yield from self.plan.notes
        yield (
            f'{self.seconds:.2f} s a frame, about '
            f'{clock(self.seconds * self.frames)} for all'
        )
        for seconds, path in zip(self.times, self.paths, strict=False):
            yield f'{path}: the frame at {seconds:.2f} s'


def clock(seconds: float) -> str:
    """Write a duration as ``h:mm:ss``."""
    whole = round(seconds)
    return f'{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}'


def try_frames(
    resolver: SuperResolver,
    source: Path,
    target: Path,
    options: RecordingOptions,
    device: str | torch.device,
    evidence: EvidenceOptions,
    write: bool,
) -> Trial:
    """Enhance a few frames from all over a recording.

    Args:
        resolver: Resolver with scale 4.
        source: The recording.
        target: The film, or the folder of the frames; it is not written.
        options: The options of the command.
        device: Device to compute on.
        evidence: Which evidence is requested.
        write: Whether to write the frames beside OUT, with their records.

    Raises:
        VideoError: If there is no frame.
        ValueError: If a confidence picture would show nothing, or OUT cannot
            hold the pictures.
        FileExistsError: If a file of others would be replaced.
    """
    suffix = film_suffix(target)
    if write:
        check_previews(target)
    if evidence.confidence:
        refuse_confidence(resolver, options)
    reference = read_reference(resolver, options)
    facts = read_facts(source)
    check_size(suffix, facts, options)
    plan = make_plan(source, facts, options)
    record = begin_record(
        resolver,
        target,
        film_settings(resolver, source, target, options, evidence),
        options,
        evidence,
        str(device),
        (facts, plan),
        now(),
    )
    film = Film(
        resolver,
        source,
        facts,
        plan,
        options,
        device,
        overlap=False,
        record=record,
        reference=reference,
    )
    frames = expected_frames(source, facts, options)
    watch = Watch()
    with closing(film.moments(_spread(film, frames), watch)) as found:
        moments = list(found)
    if not moments:
        raise VideoError('there is no frame between start and end')
    shots, took = [], []
    for moment in moments:
        begun = time.monotonic()
        painted = film.painter.paint(moment)
        kept = record.frame(moment, painted)
        shots.append(film.shot(moment, painted, kept))
        took.append(time.monotonic() - begun)
    # The first frame includes the start of libraries.
    seconds = float(np.mean(took[1:] or took))
    if film.policy == 'auto':
        seconds += _matching(film, moments[-1])
    seconds += _encoding(film, suffix, shots)
    times = [moment.time for moment in moments]
    paths = write_previews(record, shots, target) if write else []
    return Trial(
        source, facts, plan, len(frames), seconds, shots, times, paths
    )


def _spread(film: Film, frames: range) -> Spans:
    """Return the spans of three frames from all over the film."""
    spans, count = film.spans(), len(frames)
    # Segments of one frame each.
    spans.length = film.options.every
    chosen = {frames[int(share * count)] for share in _PLACES if count}
    spans.only = sorted(map(spans.segment, chosen))
    return spans


def _matching(film: Film, moment: Moment) -> float:
    """Return the seconds per frame for matching."""
    begun = time.monotonic()
    part = film.painter.part(moment.picture, moment.time)
    features = find_features(part)
    found = time.monotonic()
    match_features(features, features)
    matched = time.monotonic() - found
    return found - begun + matched * len(offsets(film.facts.rate)) / 2


def _encoding(film: Film, suffix: str, shots: list[Shot]) -> float:
    """Return the seconds per frame for encoding."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        with film.writer(Path(folder), suffix, 0) as writer:
            for shot in shots:
                writer.add(shot)
        return (time.monotonic() - begun) / len(shots)
