"""An unfinished film: its finished segments, beside OUT.

``.OUT.partial`` holds the settings of the film, the plan, and for each
finished segment ``000012.mkv`` and ``000012.json``; the second comes last
and says that both are whole. A confidence film has ``000012.confidence.mkv``,
too. A process that is killed leaves at most files under temporary names. The
last step is to join the segments and rename.
"""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from mmdsr.evidence.sidecar import overlay_path
from mmdsr.io.files import remove_leftovers, write_bytes
from mmdsr.io.folder_job import FolderJob

_NOTE, _FORMAT = 'settings.json', 'mmdsr-segments'
_PLAN, _RANGE, _LOCK = 'plan', 'range', '.lock'


class Staging:
    """Finished segments of one film; several processes may share it.

    Args:
        target: File or folder to be made.
        settings: JSON-serializable values that must be equal for segments to
            be kept.
    """

    def __init__(self, target: Path, settings: dict) -> None:
        self.target = target
        self.root = staging_root(target)
        self.job = _Segments(
            self.root,
            settings,
            _NOTE,
            'repeat that command to finish it, name another OUT, or discard '
            'it with --overwrite',
            strict=True,
        )
        self.settings = self.job.settings

    def open(self, overwrite: bool = False) -> None:
        """Make the folder, or make sure that its segments may be kept.

        Args:
            overwrite: Discard segments with other settings.

        Raises:
            OtherSettingsError: If it was begun with other settings.
            FileExistsError: If it contains files of others.
            FileNotFoundError: See :meth:`lock`.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with self._alone():
            self.job.open(overwrite)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock out other processes; a killed one loses its lock.

        Raises:
            FileNotFoundError: If another process has finished the film and
                removed the folder.
        """
        with self._alone():
            try:
                self.check_there()
            except FileNotFoundError:
                self.remove_lock()
                raise
            yield

    def _alone(self) -> AbstractContextManager[object]:
        from filelock import FileLock  # of the extra "video"

        return FileLock(self.root / _LOCK)

    def check_there(self) -> None:
        """Make sure that no other process has removed the folder.

        Raises:
            FileNotFoundError: If one has, because the film is finished.
        """
        if not self.job.note.is_file():
            raise FileNotFoundError(
                errno.ENOENT, os.strerror(errno.ENOENT), str(self.root)
            )

    def read(self, name: str) -> dict | None:
        """Read a note about the film; None if there is none."""
        try:
            return json.loads((self.root / f'{name}.json').read_text())
        except FileNotFoundError:
            return None

    def write(self, name: str, content: dict) -> None:
        """Write a complete note, or nothing.

        Raises:
            FileNotFoundError: If another process has removed the folder.
            OSError: If it cannot be written.
        """
        self.check_there()
        write_bytes(self.root / f'{name}.json', json.dumps(content).encode())

    def plan(self, make: Callable[[], dict]) -> dict:
        """Return the plan that all processes share.

        Args:
            make: Makes it, if no process has made it yet.
        """
        with self.lock():
            plan = self.read(_PLAN)
            if plan is None:
                plan = make()
                self.write(_PLAN, plan)
        return plan

    def finish(
        self,
        number: int,
        frames: list[dict],
        seconds: float = 0.0,
        size: tuple[int, int] = (0, 0),
    ) -> None:
        """Note that a segment is finished.

        Args:
            number: Number of the segment.
            frames: Notes on its frames, in order.
            seconds: How long it took.
            size: Width and height of its pictures.
        """
        content = dict(frames=frames, seconds=round(seconds, 3), size=size)
        self.write(f'{number:06d}', content)

    def segments(self) -> list[tuple[int, dict]]:
        """Return the finished segments of the film with their notes.

        Segments without frames are left out.
        """
        known = self.read(_RANGE) or dict(first=0, last=-1)
        found = []
        for number in range(known['first'], known['last'] + 1):
            content = self.read(f'{number:06d}')
            if content is not None and content['frames']:
                found.append((number, content))
        return found

    def done(self) -> list[int]:
        """List the finished segments, in order."""
        return sorted(
            int(path.stem)
            for path in self.root.glob('*.json')
            if path.stem.isdecimal()
        )

    def end(self, first: int, last: int, found: dict) -> None:
        """Note the facts that are known once the source was read to its end.

        A process sees only the pictures of its own segments: where they
        change their size, the one that notices it first knows the end.

        Args:
            first: First segment of the film.
            last: Last one.
            found: ``problems``, each with its time, and further notes on the
                source.

        Raises:
            FileNotFoundError: See :meth:`lock`.
        """
        with self.lock():
            known = self.read(_RANGE)
            if known is not None and last > known['last']:
                return
            if known is not None and last == known['last']:
                found['problems'] = [
                    *known['problems'],
                    *(
                        one
                        for one in map(list, found['problems'])
                        if one not in known['problems']
                    ),
                ]
            self.write(_RANGE, {'first': first, 'last': last, **found})

    def found(self) -> dict:
        """Return the notes that :meth:`end` has written."""
        return self.read(_RANGE) or {}

    def missing(self) -> list[int] | None:
        """List the missing segments; None if the length is not known yet."""
        known = self.read(_RANGE)
        if known is None:
            return None
        whole = range(known['first'], known['last'] + 1)
        return sorted(set(whole).difference(self.done()))

    def clear_leftovers(self, numbers: list[int]) -> None:
        """Remove leftovers of killed processes from segments.

        Args:
            numbers: Segments that no other process is working on.
        """
        remove_leftovers(
            film_in(self.root, number, overlay)
            for number in numbers
            for overlay in (False, True)
        )

    def is_empty(self) -> bool:
        """Return whether no frame is finished."""
        known = (self.read(f'{number:06d}') for number in self.done())
        return not any(content and content['frames'] for content in known)

    def is_own(self) -> bool:
        """Return whether this film was begun there, with these settings."""
        return self.job.is_own()

    def remove_lock(self) -> None:
        """Remove a folder with nothing but the lock, which makes it anew."""
        with suppress(OSError):
            if [path.name for path in self.root.iterdir()] == [_LOCK]:
                (self.root / _LOCK).unlink()
                self.root.rmdir()

    def remove(self) -> None:
        """Remove the folder; another process may be removing it, too."""
        with suppress(OSError):
            self.job.drop()
        shutil.rmtree(self.root, ignore_errors=True)


class _Segments(FolderJob):
    """The folder of the segments.

    Its note says whose it is: a folder of the same name that a user has made
    is neither filled nor emptied.
    """

    def drop(self) -> None:
        # The lock is held now. The note goes last: without it, nobody would
        # know whose the other files are.
        kept = {self.root / _LOCK, self.note}
        for path in {*self.root.iterdir()} - kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.note.unlink(missing_ok=True)

    def _read(self) -> object:
        content = super()._read()
        if not isinstance(content, dict) or content.get('format') != _FORMAT:
            raise ValueError(f'{self.note.name} is not a note of this command')
        return content['settings']

    def _write(self) -> None:
        content = dict(format=_FORMAT, settings=self.settings)
        write_bytes(self.note, json.dumps(content).encode())


def settings_of(root: Path) -> dict[str, Any]:
    """Return the settings of an unfinished film.

    Args:
        root: Its folder.

    Returns:
        The settings; empty if there are none.
    """
    try:
        return _Segments(root, {}, _NOTE).made_with() or {}
    except FileExistsError:
        return {}


def film_in(root: Path, number: int, overlay: bool = False) -> Path:
    """Return the file of a segment, or that of its confidence film."""
    path = note_in(root, number).with_suffix('.mkv')
    return overlay_path(path) if overlay else path


def note_in(root: Path, number: int) -> Path:
    """Return the file that describes a segment."""
    return root / f'{number:06d}.json'


def pictures_in(root: Path) -> Path:
    """Return the folder of the frames, if they are written as files."""
    return root / 'pictures'


def staging_root(target: Path) -> Path:
    """Return the folder in which a film is made."""
    return target.parent / f'.{target.name}.partial'
