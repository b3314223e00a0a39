"""Journals of the files that an export has written, with their sources.

Each process appends to its own file, ``manifest.RANK.jsonl``, one line
per result: size, time stamp and SHA-256 of the source, of the reference, of
the result and of what lies beside it (side-car, confidence picture). The line
is written when all of these are complete under their temporary names, just
before they get their final ones, the result last. A process that is killed in
between leaves a line without a file, which is harmless, but never a file
without a line.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import NamedTuple

from mmdsr.io.frames import real_path, shown
from mmdsr.io.stamps import Stamp, is_same

_NAME = 'manifest.{}.jsonl'
_JOURNALS = re.compile(r'manifest\.\d+\.jsonl')


class Record(NamedTuple):
    """A line of a journal.

    Args:
        name: Path of the result relative to the folder, with ``/``.
        source: The image.
        reference: The file of its reference, if any.
        result: The result.
        note: Conversions on reading; '' if there were none.
        pictures: Number of pictures in the source; the first one was used.
        beside: Files beside the result, by their paths.
    """

    name: str
    source: Stamp
    reference: Stamp | None
    result: Stamp
    note: str
    pictures: int
    beside: Mapping[str, Stamp] = MappingProxyType({})

    def files(self) -> dict[str, Stamp]:
        """Return all files that were made, the result first."""
        return {self.name: self.result, **self.beside}


class Journal:
    """The known files of a folder.

    Args:
        root: The folder.
        rank: Which process writes. Defaults to 0.
    """

    def __init__(self, root: Path, rank: int = 0) -> None:
        self.root = root
        self.path = root / _NAME.format(rank)
        self._records: dict[str, list[Record]] = {}
        for record in _read_all(root):
            self._records.setdefault(record.name, []).append(record)

    def find(
        self,
        name: str,
        source: Path,
        reference: Path | None = None,
        beside: Sequence[str] = (),
    ) -> Record | None:
        """Find the record of an existing result that is up to date.

        Args:
            name: Path of the result relative to the folder, with ``/``.
            source: Its image.
            reference: The file of its reference.
            beside: Paths of the files that must exist beside it.

        Returns:
            The line; ``None`` if the result must be made.

        Raises:
            FileExistsError: If there is a file that is not the tool's, or the
                result of another image beside this one.
        """
        for file in (name, *beside):
            target = self.root / file
            if os.path.lexists(target) and not self._is_own(name, file):
                raise FileExistsError(
                    f'{target} was not written by this tool and is therefore '
                    'kept: move it away to enlarge the image'
                )
        for record in self._records.get(name, ()):
            files = record.files()
            if (
                is_same(source, record.source)
                and (
                    is_same(reference, record.reference)
                    if reference and record.reference
                    else reference is record.reference
                )
                and all(
                    file in files and is_same(self.root / file, files[file])
                    for file in (name, *beside)
                )
            ):
                return record
        twin = self._find_twin(name, source)
        if twin is not None:
            raise FileExistsError(
                f'{self.root / name} is the result of {shown(twin)}: rename '
                'one of the images, or choose another folder for the results'
            )
        return None

    def _find_twin(self, name: str, source: Path) -> Path | None:
        """Return another image that an existing result was made from.

        It lies beside its image and has the same name but for the suffix. An
        image that has moved or was removed leaves its result to another one.
        """
        made_from = {
            record.source.path
            for record in self._records.get(name, ())
            if is_same(self.root / name, record.result)
        }
        if made_from <= {str(real_path(source))}:
            return None
        for path in source.parent.iterdir():
            if (
                path.stem == source.stem
                and str(real_path(path)) in made_from
                and path.is_file()
                and not path.samefile(source)
            ):
                return path
        return None

    def _is_own(self, name: str, file: str) -> bool:
        """Return whether a file matches a line about a result."""
        known = (record.files() for record in self._records.get(name, ()))
        return any(
            file in files and is_same(self.root / file, files[file])
            for files in known
        )

    def remove_beside(self, name: str, keep: Iterable[str]) -> None:
        """Remove files that earlier calls have put beside a result.

        They would not belong to the new result.

        Args:
            name: Path of the result relative to the folder, with ``/``.
            keep: Paths of files that are about to be replaced.
        """
        beside = {
            file
            for record in self._records.get(name, ())
            for file in record.beside
        }
        for file in beside.difference(keep):
            if self._is_own(name, file):
                (self.root / file).unlink()

    def add(self, record: Record) -> None:
        """Append a line.

        Args:
            record: The result that was made.

        Raises:
            OSError: If it cannot be written.
        """
        fields = record._asdict()
        for key, value in fields.items():
            if isinstance(value, Stamp):
                fields[key] = value._asdict()
        fields['beside'] = {
            file: own._asdict() for file, own in record.beside.items()
        }
        line = json.dumps(fields).encode() + b'\n'
        with self.path.open('a+b') as file:
            # A killed process, or a full disk, may have left half a line.
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b'\n':
                    line = b'\n' + line
            file.write(line)
        self._records.setdefault(record.name, []).append(record)

    def drop(self) -> None:
        """Delete the results that the journals list, and the journals.

        A file that no longer matches its line may belong to the user.
        """
        for name, records in self._records.items():
            files = {file for record in records for file in record.files()}
            for file in files:
                if self._is_own(name, file):
                    (self.root / file).unlink()
        for path in _journals(self.root):
            path.unlink()
        self._records.clear()


def _journals(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return [p for p in root.iterdir() if _JOURNALS.fullmatch(p.name)]


def _read_all(root: Path) -> Iterator[Record]:
    for path in sorted(_journals(root)):
        for line in path.read_bytes().splitlines():
            record = _parse(line)
            if record is not None:
                yield record


def _parse(line: bytes) -> Record | None:
    """Read a line; None if it is incomplete or not ours."""
    try:
        fields = json.loads(line)
        for key in ('source', 'reference', 'result'):
            if fields[key] is not None or key != 'reference':
                fields[key] = Stamp(**fields[key])
        # Older lines have none.
        beside = fields.get('beside', {})
        fields['beside'] = {k: Stamp(**v) for k, v in beside.items()}
        record = Record(**fields)
        names = [PurePosixPath(name) for name in record.files()]
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    # A name that leads out of the folder was not written here.
    inside = all(
        name.name and not name.is_absolute() and '..' not in name.parts
        for name in names
    )
    said = isinstance(record.note, str) and isinstance(record.pictures, int)
    return record if inside and said else None
