"""A recording in, the enhanced one out: whole, resumable, shared."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from mmdsr.errors import VideoError
from mmdsr.evidence.collect import now
from mmdsr.evidence.options import EvidenceOptions
from mmdsr.extras import require
from mmdsr.inference.super_resolver import SuperResolver
from mmdsr.io.frames import real_path
from mmdsr.recording.ask import ask
from mmdsr.recording.assemble import copied_sounds, make_whole
from mmdsr.recording.evidence import (
    FilmEvidence,
    begin_record,
    refuse_confidence,
)
from mmdsr.recording.facts import Facts, read_facts
from mmdsr.recording.film import Film, Observer, read_reference
from mmdsr.recording.options import RecordingOptions, film_suffix
from mmdsr.recording.outcome import (
    JOINED,
    RecordingReport,
    film_settings,
    finished_report,
    place_film,
)
from mmdsr.recording.ownership import check_target
from mmdsr.recording.plan import Plan, make_plan
from mmdsr.recording.size import check_size
from mmdsr.recording.staging import Staging


@dataclass
class Hooks:
    """Functions that are called with the progress of a film.

    Attributes:
        frame: Is told of each frame, see
            :data:`mmdsr.recording.film.Observer`.
        progress: ``progress(done, total)`` counts frames of this process.
        status: Called with the current step, in a few words.
    """

    frame: Observer | None = None
    progress: Callable[[int, int], None] = lambda done, total: None
    status: Callable[[str], None] = lambda text: None


def enhance_recording(
    resolver: SuperResolver,
    source: str | Path,
    target: str | Path,
    options: RecordingOptions | None = None,
    device: str | torch.device | None = None,
    overwrite: bool = False,
    part: int = 0,
    parts: int = 1,
    overlap: bool = True,
    hooks: Hooks | None = None,
    evidence: EvidenceOptions | None = None,
) -> RecordingReport:
    """Enhance a recording; memory does not grow with its length.

    The film is made in segments beside ``target`` and appears there when all
    are finished. An interrupted call, however it ended, is resumed by the
    same call.

    Args:
        resolver: Resolver with scale 4.
        source: The recording.
        target: ``NAME.mp4`` (H.264), ``NAME.mkv`` (FFV1, lossless), or a
            folder for the frames as PNG files.
        options: The options of the command. Defaults to None: as
            :class:`RecordingOptions` has it.
        device: Device to compute on. Defaults to None, a GPU if there is one.
        overwrite: Replace ``target``, and discard segments that have other
            settings.
        part: Number of this process, from 0; each of ``parts`` takes its
            share of the segments, and the last one joins them.
        parts: Number of processes.
        overlap: Whether decoding, matching, enhancing and encoding run
            beside each other.
        hooks: Functions that are called with the progress.
        evidence: Evidence to write. Defaults to None: a
            side-car and tags; for a folder, those of each frame.

    Returns:
        The outcome.

    Raises:
        VideoError: If the source is no video that can be decoded.
        FileExistsError: If ``target`` is there, or was begun with other
            settings.
        ValueError: If the arguments contradict each other.
        OSError: If a file cannot be read or written.
        MissingExtraError: Without PyAV.
    """
    require('video', 'av', 'filelock')
    source, target = Path(source), Path(target)
    options, hooks = options or RecordingOptions(), hooks or Hooks()
    if not 0 <= part < parts:
        raise ValueError(
            f'part must be in 0..{parts - 1}, not {part} (of {parts}).'
        )
    if resolver.scale != 4:
        raise ValueError(
            f'The resolver must enlarge by 4, not by {resolver.scale}: leave '
            'its scale out and set that of the options.'
        )
    device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
    suffix = film_suffix(target)
    hooks.status('Reading')
    evidence = evidence or EvidenceOptions()
    if evidence.confidence:
        refuse_confidence(resolver, options)
    if target.is_symlink() and target.is_dir():
        # The frames go into that folder; the link stays.
        target = real_path(target)
    settings = film_settings(resolver, source, target, options, evidence)
    staging = Staging(target, settings)
    reference = Path(options.reference) if options.policy == 'file' else None
    report = RecordingReport(target)
    try:
        kept = finished_report(staging, overwrite)
        if kept is not None:
            return kept
        check_target(target, source, staging.settings, overwrite, reference)
        picture = read_reference(resolver, options)
        facts = read_facts(source)
        check_size(suffix, facts, options)
        sounds = copied_sounds(facts, options)
        if suffix and sounds:
            request = dict(source=str(source), sounds=sounds, suffix=suffix)
            ask('sound', request)
        own = max(1, len(expected_frames(source, facts, options)) // parts)
        staging.open(overwrite)
        # Otherwise, what another process has finished meanwhile would be
        # begun again.
        kept = finished_report(staging, overwrite)
        if kept is not None:
            return kept

        def count(more: int) -> None:
            report.written += more
            hooks.progress(report.written, own)

        with _no_leftovers(staging, parts):
            plan, begun = _shared_plan(staging, source, facts, options, hooks)
            record = begin_record(
                resolver,
                target,
                staging.settings,
                options,
                evidence,
                str(device),
                (facts, plan),
                begun,
            )
            film = Film(
                resolver,
                source,
                facts,
                plan,
                options,
                device,
                overlap,
                hooks.frame,
                record,
                picture,
            )
            hooks.status('Enhancing')
            film.make(staging, suffix, part, parts, count)
            hooks.status('Joining')
            return _join(film, staging, suffix, report, record)
    except FileNotFoundError:
        # Another process may have finished the film and cleared up.
        kept = None if staging.is_own() else finished_report(staging)
        if kept is None:
            raise
        return kept


@contextmanager
def _no_leftovers(staging: Staging, parts: int) -> Iterator[None]:
    """Remove the folder if the film can never be made."""
    try:
        yield
    except (VideoError, ValueError):
        # With a box or a file like this there is nothing to be resumed; others
        # that share the work may still be at theirs.
        if parts == 1 and staging.is_empty():
            staging.remove()
        raise


def _shared_plan(
    staging: Staging,
    source: Path,
    facts: Facts,
    options: RecordingOptions,
    hooks: Hooks,
) -> tuple[Plan, str]:
    """Return the plan that all processes share, and when it was made."""

    def tell(seconds: float) -> None:
        hooks.status(
            f'Searching for text and the far end: {seconds:.0f} of '
            f'{facts.duration:.0f} s'
        )

    def make() -> dict:
        plan = make_plan(source, facts, options, tell)
        return dict(plan.as_dict(), begun=now())

    found = staging.plan(make)
    return Plan.from_dict(found), found['begun']


def expected_frames(
    source: Path, facts: Facts, options: RecordingOptions
) -> range:
    """Return which frames a film gets, as far as time stamps tell.

    Args:
        source: The recording.
        facts: Metadata of the recording.
        options: The options of the command.

    Raises:
        VideoError: If the recording cannot be read any more.
    """
    first, after = 0, facts.frames
    if options.start or options.end is not None:
        request = dict(path=str(source), start=options.start, end=options.end)
        found = ask('section', request)
        first, after = found['first'], found['after']
    return range(first + -first % options.every, after, options.every)


def _join(
    film: Film,
    staging: Staging,
    suffix: str,
    report: RecordingReport,
    record: FilmEvidence,
) -> RecordingReport:
    """Join the segments if all are there, and put the film in its place."""
    with staging.lock():
        joined = staging.read(JOINED)
        if joined is None:
            missing = staging.missing()
            if missing is None or missing:
                report.missing = len(missing or ())
                return report
            joined = make_whole(film, staging, suffix, record)
        place_film(staging, joined)
    report.finished, report.total = True, joined['total']
    report.notes = joined['notes']
    report.problems = [tuple(one) for one in joined['problems']]
    return report
