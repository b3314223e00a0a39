"""A recording in, the enhanced one out: whole, resumable, shared."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median_high

import torch

from mmdsr.errors import VideoError
from mmdsr.evidence.options import EvidenceOptions
from mmdsr.extras import require
from mmdsr.inference.super_resolver import SuperResolver
from mmdsr.io.files import whole_file, write_bytes
from mmdsr.recording.ask import ask
from mmdsr.recording.evidence import FilmEvidence
from mmdsr.recording.facts import Facts, read_facts
from mmdsr.recording.film import Film, Observer
from mmdsr.recording.neighbors import Moment
from mmdsr.recording.options import RecordingOptions, film_suffix
from mmdsr.recording.outcome import (
    FORMAT,
    JOINED,
    REPORT,
    VERSION,
    RecordingReport,
    check_target,
    film_settings,
    finished_report,
    place_film,
)
from mmdsr.recording.painter import Painted
from mmdsr.recording.plan import Plan, make_plan
from mmdsr.recording.staging import (
    Staging,
    film_in,
    pictures_in,
)
from mmdsr.recording.writer import picture_name

#: Seconds that a film of a single picture takes at most.
_MOMENT = 0.4


@dataclass
class Hooks:
    """Who is told what.

    Attributes:
        frame: Is told of each frame, see
            :data:`mmdsr.recording.film.Observer`.
        progress: ``progress(done, total)`` counts frames of this process.
        status: Is told what is being done, in a few words.
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
        resolver: What to enhance with; it must enlarge by 4.
        source: The recording.
        target: ``NAME.mp4`` (H.264), ``NAME.mkv`` (FFV1, lossless), or a
            folder for the frames as PNG files.
        options: What is wanted. Defaults to None: as
            :class:`RecordingOptions` has it.
        device: Where to compute. Defaults to None, a GPU if any.
        overwrite: Replace ``target``, and drop what was begun with other
            settings.
        part: Which of ``parts`` processes this is, from 0; each takes its
            share of the segments, and the last one joins them.
        parts: How many there are.
        overlap: Whether decoding, matching, enhancing and encoding run
            beside each other.
        hooks: Who is told what.
        evidence: What is recorded of how it was made. Defaults to None: a
            side-car and tags.

    Returns:
        The outcome.

    Raises:
        VideoError: If the source is no video that can be decoded.
        FileExistsError: If ``target`` is there, or was begun with other
            settings.
        ValueError: If the arguments do not fit.
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
    shown = evidence or EvidenceOptions()
    settings = film_settings(resolver, source, target, options)
    settings['mark'] = shown.mark
    staging = Staging(target, settings)
    if not overwrite or staging.root.exists():
        kept = finished_report(staging)
        if kept is not None:
            return kept
    check_target(target, source, staging, overwrite)
    facts = read_facts(source)
    sounds = _copied(facts, options)
    if suffix and sounds:
        ask('sound', dict(source=str(source), sounds=sounds, suffix=suffix))
    staging.open(overwrite)
    own = max(1, expected_frames(facts, options) // parts)
    report = RecordingReport(target)

    def count(more: int) -> None:
        report.written += more
        hooks.progress(report.written, own)

    try:
        plan = _shared_plan(staging, source, facts, options, hooks)
        record = _evidence(resolver, target, shown, str(device), options)
        film = Film(
            resolver,
            source,
            facts,
            plan,
            options,
            device,
            overlap,
            _observer(record, hooks),
        )
        hooks.status('Enhancing')
        film.make(staging, suffix, part, parts, count)
        hooks.status('Joining')
        return _join(film, staging, suffix, report, record)
    except FileNotFoundError:
        # Another process may have finished the film and cleared up.
        kept = None if staging.root.exists() else finished_report(staging)
        if kept is None:
            raise
        return kept
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
) -> Plan:
    """Return the plan that all processes share."""

    def tell(seconds: float) -> None:
        hooks.status(
            f'Searching for text and the far end: {seconds:.0f} of '
            f'{facts.duration:.0f} s'
        )

    return Plan.from_dict(
        staging.plan(lambda: make_plan(source, facts, options, tell).as_dict())
    )


def _evidence(
    resolver: SuperResolver,
    target: Path,
    shown: EvidenceOptions,
    device: str,
    options: RecordingOptions,
) -> FilmEvidence:
    """Return what records how the film is made."""
    reference = Path(options.reference) if options.policy == 'file' else None
    return FilmEvidence(resolver, target, shown, device, reference)


def _observer(record: FilmEvidence, hooks: Hooks) -> Observer:
    """Return what is told of each frame: the record, and who asks for it."""

    def observe(moment: Moment, painted: Painted) -> dict:
        kept = record.frame(moment, painted)
        told = hooks.frame(moment, painted) if hooks.frame else {}
        return {**kept, **told}

    return observe


def expected_frames(facts: Facts, options: RecordingOptions) -> int:
    """Return how many frames a film will about have."""
    end = facts.duration if options.end is None else options.end
    seconds = max(0.0, min(end, facts.duration) - options.start)
    share = min(1.0, seconds / max(facts.duration, 1e-6))
    return max(1, round(facts.frames * share / options.every))


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
            joined = _make_whole(film, staging, suffix, record)
        place_film(staging, joined)
    report.finished, report.total = True, joined['total']
    report.notes = joined['notes']
    report.problems = [tuple(one) for one in joined['problems']]
    return report


def _make_whole(
    film: Film, staging: Staging, suffix: str, record: FilmEvidence
) -> dict:
    """Join the segments under a temporary name and write the report."""
    segments, found = staging.segments(), staging.found()
    if not segments:
        raise VideoError('no frame of it can be decoded')
    frames = [one for _, content in segments for one in content['frames']]
    facts, plan = film.facts, film.plan.as_dict()
    content = dict(
        format=FORMAT,
        version=VERSION,
        created=time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()),
        settings=staging.settings,
        facts=facts.as_dict(),
        plan=plan,
        notes=[*plan['notes'], *_said(facts, found)],
        problems=found.get('problems', []),
        size=segments[0][1]['size'],
        seconds=round(sum(one['seconds'] for _, one in segments), 3),
        cuts=[one['time'] for one in frames if one['cut']],
        frames=frames,
    )
    if suffix:
        path = staging.root / f'{JOINED}{suffix}'
        request = dict(
            kind=suffix,
            segments=[str(film_in(staging.root, n)) for n, _ in segments],
            tags=record.tags(content),
            frame=_last_shown(film, frames),
            **_sound(film),
        )
        # The process that joins may outlive this one for a moment.
        with whole_file(path) as temporary:
            done = ask('join', dict(request, target=str(temporary)))
        content['notes'] += done['notes']
        content['sound_packets'] = done['packets']
    else:
        path = pictures_in(staging.root)
        _drop_others(path, frames)
    beside = record.beside(path, content)
    beside[REPORT] = json.dumps(content, indent=1).encode()
    for number, data in enumerate(beside.values()):
        write_bytes(staging.root / f'beside{number}', data)
    joined = dict(
        film=path.name,
        beside=list(beside),
        total=len(frames),
        notes=content['notes'],
        problems=content['problems'],
    )
    staging.write(JOINED, joined)
    return joined


def _last_shown(film: Film, frames: list[dict]) -> int:
    """Return the ticks that the last picture stays: as long as most do.

    The mean would not do: one long gap makes it longer than any other.
    """
    gaps = [b['ticks'] - a['ticks'] for a, b in pairwise(frames)]
    if gaps:
        return max(1, median_high(gaps))
    usual = film.options.every / film.facts.rate
    return max(1, film.facts.ticks(min(usual, _MOMENT)))


def _said(facts: Facts, found: dict) -> list[str]:
    """Return what the report says of the source."""
    notes = []
    stats = found.get('stats', {})
    if facts.turned:
        notes.append(
            f'The pictures were turned upright (by {facts.turned} degrees to '
            'the left); the film needs no rotation.'
        )
    if stats.get('restarts'):
        notes.append(
            'Its time stamps restart, as in joined recordings; the times '
            'of the film follow each other.'
        )
    if facts.tracks > 1:
        notes.append(
            f'It contains {facts.tracks} video tracks; the one of '
            f'{facts.width}x{facts.height} is used.'
        )
    return notes


def _sound(film: Film) -> dict:
    """Return the arguments of :func:`mmdsr.recording.join.join` on time."""
    facts, options = film.facts, film.options
    sounds = _copied(facts, options)
    lead = 0.0
    if sounds and not options.start:
        # Before zero of the source lies what decoders need to get going.
        zero = -facts.first * float(facts.tick)
        lead = max(0.0, *(-max(one.start, zero) for one in facts.sounds))
    return dict(
        source=str(film.source),
        tick=facts.time_base,
        begin=facts.first,
        start=options.start,
        end=options.end,
        sounds=sounds,
        lead=lead,
        sar=facts.sar,
    )


def _copied(facts: Facts, options: RecordingOptions) -> list[int]:
    """Return the numbers of the audio tracks that the film gets."""
    return [sound.track for sound in facts.sounds if options.audio == 'copy']


def _drop_others(folder: Path, frames: list[dict]) -> None:
    """Remove what does not belong to the frames of a finished folder."""
    wanted = {picture_name(one['index']) for one in frames}
    for path in folder.iterdir():
        if path.name not in wanted:
            path.unlink()
