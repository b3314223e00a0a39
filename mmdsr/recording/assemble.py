"""Making one film, or one folder of frames, of the finished segments."""

import json
import time
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path
from statistics import median_high

from mmdsr.errors import VideoError
from mmdsr.evidence.embedding import container_tags
from mmdsr.evidence.record import NamedFile
from mmdsr.evidence.sidecar import overlay_path, sidecar_path
from mmdsr.io.files import whole_file
from mmdsr.io.frames import shown
from mmdsr.io.stamps import Stamp
from mmdsr.recording.ask import ask
from mmdsr.recording.evidence import FilmEvidence, complete, forget
from mmdsr.recording.facts import Facts, notes_on
from mmdsr.recording.film import Film
from mmdsr.recording.options import RecordingOptions
from mmdsr.recording.outcome import JOINED, Placing
from mmdsr.recording.ownership import FORMAT, VERSION, report_path
from mmdsr.recording.staging import Staging, film_in, note_in, pictures_in
from mmdsr.recording.writer import FILES

#: Maximum duration of a film of a single picture in seconds.
_MOMENT = 0.4


def make_whole(
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
        notes=[*plan['notes'], *notes_on(facts, found)],
        problems=found.get('problems', []),
        size=segments[0][1]['size'],
        seconds=round(sum(one['seconds'] for _, one in segments), 3),
        cuts=[one['time'] for one in frames if one['cut']],
        frames=frames,
    )
    placing = Placing(staging)
    if suffix:
        path = staging.root / f'{JOINED}{suffix}'
        parts = [number for number, _ in segments]
        wanted = dict(_sound(film), frame=_last_shown(film, frames), tags={})
        overlay = None
        if record.options.confidence:
            made = overlay_path(path)
            _join_films(staging, parts, made, {**wanted, 'sounds': []}, True)
            name = overlay_path(staging.target).name
            overlay = NamedFile(shown(name), placing.add(name, made).sha256)
        known = record.film(content, overlay)
        wanted['tags'] = container_tags(known)
        done = _join_films(staging, parts, path, wanted)
        content['notes'] += done['notes']
        content['sound_packets'] = done['packets']
        sha256 = placing.add(staging.target.name, path).sha256
        if record.options.sidecar:
            text = complete(known, path, sha256)
            placing.write(sidecar_path(staging.target).name, f'{text}\n')
    else:
        path = pictures_in(staging.root)
        stamps = {
            name: Stamp(**one)
            for frame in frames
            for name, one in frame.pop(FILES).items()
        }
        _drop_others(path, stamps)
        placing.add_folder(path, stamps)
    forget(frames)
    content['files'] = placing.stamped()
    placing.write(
        report_path(staging.target).name, json.dumps(content, indent=1)
    )
    joined = dict(
        files=placing.files,
        total=len(frames),
        notes=content['notes'],
        problems=content['problems'],
    )
    staging.write(JOINED, joined)
    return joined


def _join_films(
    staging: Staging,
    segments: list[int],
    path: Path,
    wanted: dict,
    overlay: bool = False,
) -> dict:
    """Join segments, or those of the confidence film, into one file."""
    request = dict(
        wanted,
        kind=path.suffix,
        segments=[
            (
                str(film_in(staging.root, number, overlay)),
                str(note_in(staging.root, number)),
            )
            for number in segments
        ],
    )
    # The process that joins may outlive this one for a moment.
    with whole_file(path) as temporary:
        return ask('join', dict(request, target=str(temporary)))


def _last_shown(film: Film, frames: list[dict]) -> int:
    """Return the ticks that the last picture stays: as long as most do.

    The mean would not do: one long gap makes it longer than any other.
    """
    gaps = [b['ticks'] - a['ticks'] for a, b in pairwise(frames)]
    if gaps:
        return max(1, median_high(gaps))
    usual = film.options.every / film.facts.rate
    return max(1, film.facts.ticks(min(usual, _MOMENT)))


def _sound(film: Film) -> dict:
    """Return the arguments of :func:`mmdsr.recording.join.join` on time."""
    facts, options = film.facts, film.options
    sounds = copied_sounds(facts, options)
    lead = 0.0
    if sounds and not options.start:
        # Packets before zero of the source only prepare the decoder.
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


def copied_sounds(facts: Facts, options: RecordingOptions) -> list[int]:
    """Return the numbers of the audio tracks that the film gets."""
    return [sound.track for sound in facts.sounds if options.audio == 'copy']


def _drop_others(folder: Path, wanted: Collection[str]) -> None:
    """Remove files that do not belong to the frames of a finished folder."""
    for path in folder.iterdir():
        if path.name not in wanted:
            path.unlink()
