"""What stands at OUT: whose it is, how it was made, and putting it there."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from mmdsr.evidence.options import EvidenceOptions
from mmdsr.evidence.record import FORMAT as RECORD
from mmdsr.evidence.sidecar import overlay_path, sidecar_path
from mmdsr.inference.super_resolver import SuperResolver
from mmdsr.io.files import write_bytes
from mmdsr.io.folder_job import differences
from mmdsr.io.frames import real_path
from mmdsr.io.listing import natural_order, some
from mmdsr.io.stamps import Stamp, is_same, stamp
from mmdsr.recording.options import RecordingOptions
from mmdsr.recording.staging import Staging, staging_root
from mmdsr.recording.writer import FILMS, picture_files

FORMAT, VERSION = 'mmdsr-recording', 1
#: Note about a film whose segments are joined.
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
        notes: Notes on the film.
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
    evidence: EvidenceOptions,
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
        **evidence.as_dict(),
    )
    if options.policy == 'file':
        settings['reference'] = _stamp(
            Path(options.reference),
            begun.get('reference'),
            done.get('reference'),
        )
    return settings


def _stamp(path: Path, *known: dict | None) -> dict:
    """Return the known stamp of a file whose content is the same."""
    for one in known:
        if one and one['path'] == str(real_path(path)):
            old = Stamp(**one)
            if is_same(path, old):
                return old._asdict()
    return stamp(path)._asdict()


def finished_report(staging: Staging) -> RecordingReport | None:
    """Return the report of a film that is finished, and clear up after it.

    A process may have been killed between its last steps, or another one may
    have finished the film.

    Args:
        staging: Staging of the film.

    Returns:
        The report; None if there is no such film, one made with other
        settings, or if files of it have gone.
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
    if not staging.target.exists() or _gone(staging.target, report):
        return None
    if staging.root.exists() and staging.read('settings') is None:
        # Left over when cleaning up was interrupted.
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
    """Refuse to replace files that may belong to the user.

    Args:
        target: OUT.
        source: IN, which is never replaced.
        staging: Staging of the film.
        overwrite: Whether a film of other settings may be replaced.

    Raises:
        FileExistsError: If something else is there.
    """
    own = _own_beside(target)
    for path in _beside(target, staging.settings):
        taken = path.exists() or path.is_symlink()
        if taken and (path not in own or real_path(path) == real_path(source)):
            raise FileExistsError(
                f'{path} exists and was not made by this command: name '
                'another OUT, or move it away.'
            )
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
        gone = _gone(target, report)
        if not changes and gone:
            raise FileExistsError(
                f'{target} was finished, but files of it have gone '
                f'({some(gone)}): make it again with --overwrite.'
            )
        if not changes:
            # Another process has just finished the same film.
            return
        raise FileExistsError(
            f'{target} was made with other settings ({changes}): name '
            'another OUT, or replace it with --overwrite.'
        )
    _refuse_others(target, report)


class Placing:
    """Collects the files that accompany a film, in the staging folder.

    Args:
        staging: Staging of the film.

    Attributes:
        files: Name in that folder and final name of each file.
    """

    def __init__(self, staging: Staging) -> None:
        self.staging = staging
        self.files: list[tuple[str, str]] = []

    def add(self, name: str, made: Path) -> None:
        """Add a file that was made in that folder.

        Args:
            name: Its final name.
            made: Path of the file.
        """
        self.files.append((made.name, name))

    def write(self, name: str, text: str) -> None:
        """Write a file.

        Args:
            name: Its final name.
            text: Its content.
        """
        path = self.staging.root / f'beside{len(self.files)}'
        write_bytes(path, text.encode())
        self.add(name, path)


def place_film(staging: Staging, joined: dict) -> None:
    """Move the film and the files beside it to their final places.

    Every step can be repeated.

    Args:
        staging: Staging of the film; its lock is held.
        joined: The note :data:`JOINED`.

    Raises:
        FileExistsError: If the folder to be replaced contains files that were
            not written by this tool.
    """
    target, made = staging.target, staging.root / joined['film']
    if made.exists():
        if target.is_dir():
            _refuse_others(target, _read_json(report_path(target)) or {})
            # All at once; it goes with the folder of the segments.
            replaced = staging.root / 'replaced'
            shutil.rmtree(replaced, ignore_errors=True)
            target.replace(replaced)
        names = {name for _, name in joined['beside']}
        for path in _own_beside(target):
            if path.name not in names:
                path.unlink()
    for begun, name in joined['beside']:
        path = staging.root / begun
        if path.exists():
            path.replace(target.with_name(name))
    if made.exists():
        made.replace(target)
    staging.remove()


def _beside(target: Path, settings: dict) -> list[Path]:
    """Return the files beside a film or a folder of frames."""
    paths = [report_path(target)]
    if target.suffix.lower() in FILMS:
        paths += [sidecar_path(target)] if settings.get('sidecar') else []
        paths += [overlay_path(target)] if settings.get('confidence') else []
    return paths


def _own_beside(target: Path) -> list[Path]:
    """List the files beside a film that this command has made."""
    report = _read_json(report_path(target)) or {}
    if report.get('format') != FORMAT:
        report = {}
    own = _beside(target, report['settings']) if report else []
    sidecar = sidecar_path(target)
    if target.suffix.lower() in FILMS and sidecar not in own:
        # The report may be gone.
        known = (_read_json(sidecar) or {}).get('format') == RECORD
        own += [sidecar] if known else []
    return [path for path in own if path.is_file()]


def _pictures(report: dict) -> set[str]:
    """Return the names of the files in a folder of frames."""
    settings = report['settings']
    return {
        name
        for frame in report['frames']
        for name in picture_files(
            frame['index'],
            settings.get('sidecar', False),
            settings.get('confidence', False),
        )
    }


def _gone(target: Path, report: dict) -> list[str]:
    """Return the files of a finished film that are missing."""
    if target.is_dir():
        there = {path.name for path in target.iterdir()}
        return natural_order(_pictures(report) - there)
    beside = _beside(target, report['settings'])
    return [path.name for path in beside if not path.is_file()]


def _refuse_others(target: Path, report: dict) -> None:
    """Refuse to replace a folder that contains files of others."""
    if not target.is_dir():
        return
    own = _pictures(report) if report else set()
    others = natural_order({path.name for path in target.iterdir()} - own)
    if others:
        raise FileExistsError(
            f'{target} also contains other files ({some(others)}), which '
            '--overwrite would delete: move them away.'
        )


def _read_json(path: Path) -> dict | None:
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
