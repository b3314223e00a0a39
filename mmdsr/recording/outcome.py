"""What stands at OUT: whose it is, how it was made, and putting it there."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from mmdsr.inference.super_resolver import SuperResolver
from mmdsr.io.folder_job import differences
from mmdsr.io.frames import real_path
from mmdsr.io.listing import natural_order, some
from mmdsr.io.stamps import Stamp, stamp
from mmdsr.recording.options import RecordingOptions
from mmdsr.recording.staging import Staging, staging_root
from mmdsr.recording.writer import picture_name

FORMAT, VERSION = 'mmdsr-recording', 1
#: Note of a film whose segments are joined.
JOINED = 'joined'
REPORT = '.report.json'


@dataclass
class RecordingReport:
    """Outcome for a recording.

    Attributes:
        target: The file or folder that was made.
        finished: Whether it is there; False as long as other processes have
            parts of it to do.
        written: Frames enhanced by this call.
        total: Frames of the film, once it is there.
        missing: Segments that other processes have to do.
        notes: What is to be said about it.
        problems: Damage of the source: seconds and text.
    """

    target: Path
    finished: bool = False
    written: int = 0
    total: int = 0
    missing: int = 0
    notes: list[str] = field(default_factory=list)
    problems: list[tuple[float, str]] = field(default_factory=list)


def report_path(target: Path) -> Path:
    """Return the report of a film: ``NAME.mp4.report.json``."""
    return target.with_name(f'{target.name}{REPORT}')


def film_settings(
    resolver: SuperResolver,
    source: Path,
    target: Path,
    options: RecordingOptions,
) -> dict:
    """Return all that decides about a film.

    The digest of the source is taken over from what was begun, if the file
    has not changed.
    """
    begun = _read_json(staging_root(target) / 'settings.json') or {}
    done = (_read_json(report_path(target)) or {}).get('settings', {})
    settings = dict(
        source=_stamp(source, begun.get('source'), done.get('source')),
        network=resolver.describe(),
        options=options.as_dict(),
    )
    if options.policy == 'file':
        settings['reference'] = stamp(Path(options.reference))._asdict()
    return settings


def _stamp(path: Path, *known: dict | None) -> dict:
    status = path.stat()
    glance = str(real_path(path)), status.st_size, status.st_mtime_ns
    for one in known:
        if one and (one['path'], one['size'], one['mtime_ns']) == glance:
            return Stamp(**one)._asdict()
    return stamp(path)._asdict()


def finished_report(staging: Staging) -> RecordingReport | None:
    """Return the report of a film that is finished, and clear up after it.

    A process may have been killed between its last steps, or another one may
    have finished the film.

    Args:
        staging: Of the film.

    Returns:
        The report; None if there is no such film, or one made with other
        settings.
    """
    if staging.root.exists():
        with staging.lock():
            joined = staging.read(JOINED)
            same = staging.read('settings') == staging.settings
            if joined is not None and same:
                place_film(staging, joined)
    report = _read_json(report_path(staging.target)) or {}
    if report.get('settings') != staging.settings:
        return None
    if not staging.target.exists():
        return None
    if staging.root.exists() and staging.read('settings') is None:
        # What was left when clearing up was interrupted.
        staging.remove()
    return RecordingReport(
        staging.target,
        True,
        0,
        len(report['frames']),
        notes=report['notes'],
        problems=[tuple(one) for one in report['problems']],
    )


def check_target(
    target: Path, source: Path, staging: Staging, overwrite: bool
) -> None:
    """Refuse to replace what may be somebody's.

    Args:
        target: OUT.
        source: IN, which is never replaced.
        staging: Of the film.
        overwrite: Whether a film of other settings may be replaced.

    Raises:
        FileExistsError: If something else is there.
    """
    there = target.exists() or target.is_symlink()
    if not there or (target.is_dir() and not any(target.iterdir())):
        return
    if real_path(target) == real_path(source):
        raise FileExistsError(
            f'{target} is the recording to be enhanced: name another OUT.'
        )
    report = _read_json(report_path(target)) or {}
    if report.get('format') != FORMAT:
        raise FileExistsError(
            f'{target} exists and was not made by this command: name another '
            'OUT, or move it away.'
        )
    if not overwrite:
        changes = differences(report['settings'], staging.settings)
        if not changes:
            # Another process has just finished the same film.
            return
        raise FileExistsError(
            f'{target} was made with other settings ({changes}): name '
            'another OUT, or replace it with --overwrite.'
        )
    if target.is_dir():
        own = {picture_name(frame['index']) for frame in report['frames']}
        others = natural_order({path.name for path in target.iterdir()} - own)
        if others:
            raise FileExistsError(
                f'{target} also contains other files ({some(others)}), which '
                '--overwrite would delete: move them away.'
            )


def place_film(staging: Staging, joined: dict) -> None:
    """Put the film and what lies beside it in its place.

    Each step may have been done before.

    Args:
        staging: Of the film, whose lock is held.
        joined: The note :data:`JOINED`.
    """
    target, made = staging.target, staging.root / joined['film']
    for number, ending in enumerate(joined['beside']):
        path = staging.root / f'beside{number}'
        if path.exists():
            path.replace(target.with_name(f'{target.name}{ending}'))
    if made.exists():
        if target.is_dir():
            shutil.rmtree(target)
        made.replace(target)
    staging.remove()


def _read_json(path: Path) -> dict | None:
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
