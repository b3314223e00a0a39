"""Write and check the SHA-256 of every file of a data set.

``SHA256SUMS`` has one line per file in the format of the ``sha256sum``
program, so ``sha256sum -c SHA256SUMS`` checks a data set, too. The manifest
contains the digest of that list, which identifies the whole data set. Hidden
files and the alignments that are computed from it, ``SPLIT/align-NAME``, do
not belong to it.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

from mmdsr.io.files import write_bytes
from mmdsr.io.manifest import ALIGNMENT, MANIFEST, SPLITS, read_manifest

LIST = 'SHA256SUMS'


def digest(path: str | Path) -> str:
    """Return the SHA-256 of a file.

    Args:
        path: The file.

    Returns:
        64 hexadecimal digits.
    """
    total = hashlib.sha256()
    with Path(path).open('rb') as file:
        while chunk := file.read(1 << 20):
            total.update(chunk)
    return total.hexdigest()


def write_checksums(
    root: str | Path,
    known: Mapping[str, str] | None = None,
    names: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Write the list of checksums of a data set.

    Args:
        root: Root of the data set.
        known: Digests of files that are not read again, as they may have been
            damaged since. Defaults to None, no digest.
        names: Files to read, by their paths below the root. Defaults to None,
            all files.

    Returns:
        ``file``, ``sha256`` and ``files`` (their number) of the list, for the
        manifest.
    """
    root = Path(root)
    read = list_files(root) if names is None else names
    listed = dict(known or {}) | {name: digest(root / name) for name in read}
    lines = [f'{listed[name]}  {name}\n' for name in sorted(listed)]
    data = ''.join(lines).encode()
    write_bytes(root / LIST, data)
    return {
        'file': LIST,
        'sha256': hashlib.sha256(data).hexdigest(),
        'files': len(lines),
    }


def read_checksums(root: str | Path) -> dict[str, str]:
    """Read the list of checksums.

    Args:
        root: Root of the data set.

    Returns:
        Digest of each file, by its path below ``root``.

    Raises:
        ValueError: If there is no list, it was changed after the manifest was
            written, or it is damaged.
    """
    root = Path(root)
    manifest = read_manifest(root, formats=None)
    if manifest is None:
        raise ValueError(f'{root} has no {MANIFEST}: it is not a data set.')
    note = manifest.get('checksums')
    if not isinstance(note, dict):
        raise ValueError(
            f'{root / MANIFEST} contains no checksums: create the data set '
            'again to add them.'
        )
    path = root / LIST
    if not path.is_file():
        raise ValueError(f'{path} is missing.')
    if digest(path) != note.get('sha256'):
        raise ValueError(f'{path} is not the file that the manifest lists.')
    pairs = (line.split('  ', 1) for line in path.read_text().splitlines())
    return {name: value for value, name in pairs if _belongs(PurePath(name))}


def verify(
    root: str | Path, progress: Callable[[int, int], None] | None = None
) -> list[str]:
    """Compare a data set with its checksums.

    Args:
        root: Root of the data set.
        progress: Called with the number of finished files and of all files.

    Returns:
        Problems, one line per file: missing, changed, or not listed. Empty if
        there are none.

    Raises:
        ValueError: See :func:`read_checksums`.
    """
    root = Path(root)
    listed = read_checksums(root)
    problems = []
    for count, (name, value) in enumerate(listed.items(), 1):
        if not (root / name).is_file():
            problems.append(f'missing: {name}')
        elif digest(root / name) != value:
            problems.append(f'changed: {name}')
        if progress is not None:
            progress(count, len(listed))
    extra = [name for name in list_files(root) if name not in listed]
    return problems + [f'not listed: {name}' for name in extra]


def list_files(root: Path, folder: str | Path = '') -> list[str]:
    """List the files that belong to a data set.

    Args:
        root: Root of the data set.
        folder: Folder below it, which need not exist. Defaults to ``''``, all
            folders.

    Returns:
        Their paths below the root, sorted.
    """
    found = (root / folder).rglob('*')
    paths = (path.relative_to(root) for path in found if path.is_file())
    return sorted(path.as_posix() for path in paths if _belongs(path))


def _belongs(path: PurePath) -> bool:
    """Return whether a file is part of a data set, by its path below it."""
    parts = path.parts
    aligned = (
        len(parts) > 2
        and parts[0] in SPLITS
        and parts[1].startswith(ALIGNMENT)
    )
    hidden = any(part.startswith('.') for part in parts)
    return not (aligned or hidden or path.as_posix() in (MANIFEST, LIST))
