"""A folder that is filled file by file, possibly by several calls.

A note in the folder records the settings of its files. A call with the same
settings continues where the last one stopped. A call with other settings is
refused, as its files must not be mixed with the existing ones.
"""

import json
import reprlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from mmdsr.errors import OtherSettingsError
from mmdsr.io.files import write_bytes
from mmdsr.io.manifest import MANIFEST, read_manifest, write_manifest

S = TypeVar('S')

#: Seconds for which the other processes wait for the first one.
_PATIENCE = 120
#: Maximum number of differences in a message.
_NAMED = 8
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 120


@dataclass
class JobReport:
    """Summary of the files to be made.

    Attributes:
        total: Number of files.
        written: Number of files written now.
        kept: Number of files that already existed.
        failed: Reason for each source whose file is missing.
    """

    total: int = 0
    written: int = 0
    kept: int = 0
    failed: dict[str, str] = field(default_factory=dict)


class FolderJob:
    """A folder and the settings that its files are made with.

    Args:
        root: The folder.
        settings: Settings that must be equal for files to be kept; must be
            serializable as JSON.
        note: Name of the file with the settings.
        remedy: Advice for the user if the settings differ.
        strict: Refuse a folder that contains files but no note.
    """

    def __init__(
        self,
        root: Path | str,
        settings: Mapping[str, Any],
        note: str = 'settings.json',
        remedy: str = 'choose another folder or repeat that command',
        strict: bool = False,
    ) -> None:
        self.root = Path(root)
        # Through JSON, so that tuples compare equal to what is read back.
        self.settings: dict[str, Any] = json.loads(json.dumps(settings))
        self.note = self.root / note
        self.remedy = remedy
        self.strict = strict

    def made_with(self) -> dict[str, Any] | None:
        """Return the settings of the existing files.

        Returns:
            Content of the note; ``None`` if there is no folder or it is empty.

        Raises:
            FileExistsError: If the folder has other content.
        """
        root, note = self.root, self.note
        if not root.exists():
            if root.is_symlink():
                raise FileExistsError(
                    f'{root} is a broken link: remove it or choose another '
                    'folder.'
                )
            return None
        if not root.is_dir():
            raise FileExistsError(f'{root} is a file: choose another folder.')
        if not note.is_file():
            # A hidden file may be an unfinished note.
            if self.strict and any(
                not path.name.startswith('.') for path in root.iterdir()
            ):
                raise FileExistsError(
                    f'{root} contains files but no {note.name}, so nothing is '
                    'written there: choose another folder or empty this one.'
                )
            return None
        try:
            found = self._read()
            if not isinstance(found, dict):
                raise ValueError(f'{note} contains no settings.')
        except ValueError as error:
            raise FileExistsError(
                f'{root} contains other files, so nothing is written there: '
                f'choose another folder. ({error})'
            ) from error
        return found

    def is_own(self) -> bool:
        """Return whether the files that are there have these settings.

        Returns:
            False also without files, or for other content.
        """
        try:
            return self.made_with() == self.settings
        except FileExistsError:
            return False

    def check(self) -> bool:
        """Return whether the files that are there have these settings.

        Returns:
            False without files.

        Raises:
            OtherSettingsError: If they have other settings.
            FileExistsError: See :meth:`made_with`.
        """
        found = self.made_with()
        if found is not None and found != self.settings:
            raise OtherSettingsError(
                f'{self.root} was made with other settings '
                f'({differences(found, self.settings)}): {self.remedy}.'
            )
        return found is not None

    def open(self, overwrite: bool = False, first: bool = True) -> None:
        """Create the folder, or check that its files may be kept.

        Args:
            overwrite: Delete files that were made with other settings.
            first: Whether this process may change the folder; the others wait
                for it. Defaults to True.

        Raises:
            OtherSettingsError: If it was made with other settings.
            FileExistsError: If it has other content.
            TimeoutError: If no other process has created the folder.
        """
        if not first:
            self._wait(overwrite)
            return
        if not overwrite:
            self.check()
        found = self.made_with()
        if found == self.settings:
            return
        if found is not None:
            # Before the note changes, which the other processes wait for.
            self.drop()
        self._write()

    def drop(self) -> None:
        """Delete the files; by default, the whole folder."""
        shutil.rmtree(self.root)

    def missing(self, names: Iterable[Path]) -> list[Path]:
        """List the missing files.

        Args:
            names: Paths below the folder.

        Returns:
            The names that are not files.
        """
        return [name for name in names if not (self.root / name).is_file()]

    def fill(
        self,
        items: Iterable[tuple[Path, S]],
        make: Callable[[S], bytes | None],
        report: JobReport | None = None,
    ) -> Iterator[bool]:
        """Make the missing files one by one.

        Args:
            items: Path of each file below the folder, and its source.
            make: Function that returns the content, or None after recording a
                failure. An exception stops the job; finished files are kept.
            report: Receives the counts.

        Yields:
            For each item, whether there was something to do.

        Raises:
            OSError: With the name of the file, if it cannot be written.
        """
        report = report or JobReport()
        for name, source in items:
            if not self.missing([name]):
                report.kept += 1
                yield False
                continue
            data = make(source)
            if data is not None:
                write_bytes(self.root / name, data)
                report.written += 1
            yield True

    def run(
        self,
        items: Iterable[tuple[Path, S]],
        make: Callable[[S], bytes | None],
        report: JobReport | None = None,
    ) -> None:
        """Run :meth:`fill` to its end."""
        for _ in self.fill(items, make, report):
            pass

    def _wait(self, overwrite: bool) -> None:
        limit = time.monotonic() + _PATIENCE
        while self.made_with() != self.settings:
            if not overwrite:
                self.check()
            if time.monotonic() > limit:
                raise TimeoutError(
                    f'Process 0 has not made {self.root} after '
                    f'{_PATIENCE} s: see its output.'
                )
            time.sleep(0.2)

    def _read(self) -> object:
        return json.loads(self.note.read_bytes())

    def _write(self) -> None:
        write_bytes(self.note, json.dumps(self.settings).encode())


class ManifestJob(FolderJob):
    """A folder whose note is its manifest, which others read, too.

    Args:
        root: The folder.
        settings: Settings that must be equal for files to be kept.
        format: Name of the layout.
        remedy: Advice for the user if the settings differ.
    """

    def __init__(
        self,
        root: Path | str,
        settings: Mapping[str, Any],
        format: str,
        remedy: str = 'choose another folder or repeat that command',
    ) -> None:
        super().__init__(root, settings, MANIFEST, remedy, strict=True)
        self.format = format

    def _read(self) -> object:
        manifest = read_manifest(self.root, (self.format,))
        return manifest and manifest['generator']

    def _write(self) -> None:
        write_manifest(
            self.root,
            {},
            generator=self.settings,
            scale=None,
            format=self.format,
        )


def open_all(jobs: Iterable[FolderJob]) -> None:
    """Open folders that belong together: all, or none if any is refused.

    Args:
        jobs: The folders.

    Raises:
        OtherSettingsError: If one was made with other settings.
        FileExistsError: If one has other content.
    """
    jobs = list(jobs)
    for job in jobs:
        job.check()
    for job in jobs:
        job.open()


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Return the settings in which two calls differ.

    Args:
        old: Settings of the earlier call.
        new: Settings of this one.

    Returns:
        A text such as ``scale was 2, is 3``; long values and lists are
        truncated.
    """
    before, after = _flat(old), _flat(new)
    keys = {
        key
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key)
    }
    # Another file has another size, time and digest, too.
    for key in [key for key in keys if key.endswith('.path')]:
        place = key.removesuffix('path')
        keys -= {f'{place}{name}' for name in ('size', 'mtime_ns', 'sha256')}
    # The same file with another content.
    altered = [
        key.removesuffix('.sha256')
        for key in sorted(keys)
        if key.endswith('.sha256') and key.replace('sha256', 'path') in before
    ]
    for place in altered:
        keys -= {f'{place}.{name}' for name in ('size', 'mtime_ns', 'sha256')}
    changes = [f'the content of {place} has changed' for place in altered]
    changes += [
        f'{key} was {_SHORT.repr(before.get(key))}, '
        f'is {_SHORT.repr(after.get(key))}'
        for key in sorted(keys)
    ]
    more = len(changes) - _NAMED
    return '; '.join(changes[:_NAMED] + [f'and {more} more'] * (more > 0))


def _flat(settings: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
    """Return nested settings by names such as ``options.scale``."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict) and value:
            flat.update(_flat(value, f'{prefix}{key}.'))
        else:
            flat[f'{prefix}{key}'] = value
    return flat
