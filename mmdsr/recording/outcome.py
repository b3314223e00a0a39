"""The outcome for a recording: its settings, and putting it in its place."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from mmdsr.evidence.options import EvidenceOptions
from mmdsr.inference.super_resolver import SuperResolver
from mmdsr.io.files import write_bytes
from mmdsr.io.frames import real_path
from mmdsr.io.stamps import Stamp, is_same, stamp
from mmdsr.recording.evidence import without_policy
from mmdsr.recording.options import RecordingOptions
from mmdsr.recording.ownership import (
    changed,
    gone,
    read_report,
    refuse_others,
    remove_replaced,
    report_path,
)
from mmdsr.recording.staging import Staging, settings_of, staging_root

#: Name of the note about a film whose segments are joined.
JOINED = 'joined'


@dataclass
class RecordingReport:
    """Outcome for a recording.

    Attributes:
        target: The file or folder that was made.
        finished: Whether it is there; False as long as other processes have
            parts of it to do.
        written: Frames enhanced by this call.
        total: Frames of the film, once it is there.
        missing: Number of segments left to other processes.
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


def film_settings(
    resolver: SuperResolver,
    source: Path,
    target: Path,
    options: RecordingOptions,
    evidence: EvidenceOptions,
) -> dict:
    """Return all that decides about a film.

    The digest of the source is taken from an earlier note, if the file
    has not changed.
    """
    begun = settings_of(staging_root(target))
    done = read_report(target).get('settings', {})
    settings = dict(
        source=_stamp(source, begun.get('source'), done.get('source')),
        network=without_policy(resolver.describe()),
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
    """Return the known stamp of a file whose content is unchanged."""
    for one in known:
        if one and one['path'] == str(real_path(path)):
            old = Stamp(**one)
            if is_same(path, old):
                return old._asdict()
    return stamp(path)._asdict()


def finished_report(
    staging: Staging, overwrite: bool = False
) -> RecordingReport | None:
    """Return the report of a film that is finished, and clean up after it.

    A process may have been killed between its last steps, or another one may
    have finished the film.

    Args:
        staging: Staging of the film.
        overwrite: Whether a finished film is to be made again, unless it
            only remains to be put in its place.

    Returns:
        The report; None if there is no such film, if it was made with other
        settings, or if files of it are missing or were changed.

    Raises:
        FileExistsError: If its place is taken.
        FileNotFoundError: If another process has finished the film since this
            one has looked.
    """
    own = staging.is_own()
    placed = False
    if own:
        with staging.lock():
            joined = staging.read(JOINED)
            if joined is not None:
                place_film(staging, joined)
                placed = True
    if overwrite and not placed:
        return None
    target = staging.target
    report = read_report(target)
    if report.get('settings') != staging.settings or not target.exists():
        return None
    if gone(target, report) or changed(target, report):
        return None
    # Left over when cleaning up was interrupted.
    if not own:
        staging.remove_lock()
    elif not placed:
        staging.remove()
    return RecordingReport(
        target,
        True,
        0,
        len(report['frames']),
        notes=report['notes'],
        problems=[tuple(one) for one in report['problems']],
    )


class Placing:
    """Collects the files of a film, in the staging folder.

    Args:
        staging: Staging of the film.

    Attributes:
        files: Name in that folder and final name of each file; the report is
            the last one.
        stamps: Stamp of each file by its final name.
    """

    def __init__(self, staging: Staging) -> None:
        self.staging = staging
        self.files: list[tuple[str, str]] = []
        self.stamps: dict[str, Stamp] = {}

    def add(self, name: str, made: Path) -> Stamp:
        """Add a file that was made in that folder.

        Args:
            name: Its final name.
            made: Path of the file.

        Returns:
            Its stamp.
        """
        self.files.append((made.name, name))
        self.stamps[name] = stamp(made, shown='')
        return self.stamps[name]

    def write(self, name: str, text: str) -> None:
        """Write a file.

        Args:
            name: Its final name.
            text: Its content.
        """
        path = self.staging.root / f'beside{len(self.files)}'
        write_bytes(path, text.encode())
        self.add(name, path)

    def add_folder(self, made: Path, stamps: dict[str, Stamp]) -> None:
        """Add the folder of the frames.

        Args:
            made: Path of the folder.
            stamps: Stamp of each file in it by its name.
        """
        self.files.append((made.name, self.staging.target.name))
        self.stamps.update(stamps)

    def stamped(self) -> dict[str, dict]:
        """Return the stamps as the report holds them."""
        return {name: one._asdict() for name, one in self.stamps.items()}


def place_film(staging: Staging, joined: dict) -> None:
    """Move the film and its other files to their final places.

    Every step can be repeated. The film comes after the files beside it, and
    the report last: as long as the old one exists, it says which of the old
    files may be replaced.

    Args:
        staging: Staging of the film; its lock is held.
        joined: The note :data:`JOINED`.

    Raises:
        FileExistsError: If files that this command has not made would be
            replaced; nothing is moved then.
    """
    target, root = staging.target, staging.root
    moves = {
        root / begun: target.with_name(name) for begun, name in joined['files']
    }
    placed = [place for begun, place in moves.items() if not begun.exists()]
    refuse_others(target, {*moves.values()} - {*placed}, placed=placed)
    remove_replaced(target, {name for _, name in joined['files']})
    last = [target, report_path(target)]
    for begun, place in sorted(
        moves.items(), key=lambda move: move[1] in last
    ):
        if place in placed:
            continue
        if begun.is_dir() and place.is_dir():
            # All at once; it is deleted with the folder of the segments.
            replaced = root / 'replaced'
            shutil.rmtree(replaced, ignore_errors=True)
            place.replace(replaced)
        begun.replace(place)
    staging.remove()
