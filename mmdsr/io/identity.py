"""What identifies data, which can change under their path."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from mmdsr.io.checksums import digest
from mmdsr.io.frames import SUFFIXES
from mmdsr.io.layout import DEPTH_KEYS, FLOW_KEY, IMAGE_KEYS
from mmdsr.io.manifest import MANIFEST, SPLITS, read_manifest

_FOLDERS = [
    f'{split}/{key}'
    for split in SPLITS
    for key in (*IMAGE_KEYS, *DEPTH_KEYS, FLOW_KEY)
]


def listing(
    root: Path, folders: Iterable[str], suffixes: Iterable[str] | None = None
) -> str:
    """Identify files by their names and sizes, without reading them.

    Hidden files do not belong to them.

    Args:
        root: Root of the files.
        folders: Folders below it; one that is missing holds no file.
        suffixes: Suffixes of the files in lower case. Defaults to None, all.

    Returns:
        SHA-256 of their sorted names and sizes.
    """
    lines = {
        f'{name}\t{path.stat().st_size}\n'
        for folder in folders
        for path in (root / folder).rglob('*')
        if (suffixes is None or path.suffix.lower() in suffixes)
        and path.is_file()
        and '/.' not in f'/{(name := path.relative_to(root).as_posix())}'
    }
    return hashlib.sha256(''.join(sorted(lines)).encode()).hexdigest()


def identify(root: Path | str) -> dict[str, str]:
    """Identify a data set in the layout of :mod:`mmdsr.io.layout`.

    Args:
        root: Root of the data set.

    Returns:
        ``manifest``, the digest of its manifest, if it has one; and ``files``,
        the :func:`listing` of its files, unless the manifest lists checksums.

    Raises:
        ValueError: If the manifest cannot be read.
    """
    root = Path(root)
    manifest = read_manifest(root, formats=None)
    found = {}
    if manifest is not None:
        found['manifest'] = digest(root / MANIFEST)
    if manifest is None or 'checksums' not in manifest:
        found['files'] = listing(root, _FOLDERS)
    return found


def identify_images(root: Path) -> dict[str, str]:
    """Identify the images and masks of a data set of another layout.

    Annotations do not belong to them: they are files that a config names.

    Args:
        root: Root of the data set.

    Returns:
        ``manifest``, the digest of its manifest, if it has one; and ``files``,
        the :func:`listing` of the images below its root, unless the manifest
        lists checksums.
    """
    path = root / MANIFEST
    found = dict(manifest=digest(path)) if path.is_file() else {}
    try:
        manifest = read_manifest(root, formats=None)
    except ValueError:
        manifest = None  # a file of another program
    if manifest is None or 'checksums' not in manifest:
        found['files'] = listing(root, [''], SUFFIXES)
    return found
