"""Sample names, splits and the manifest of the layout."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from mmdsr.io.files import write_bytes

MANIFEST = 'manifest.json'
FORMAT = 'mmdsr-refsr'
VERSION = 1
SPLITS = ('train', 'test')
ALIGNMENT = 'align-'
"""Start of the name of a folder with the alignments of a split."""

_STEM = re.compile(r'[^/\\\s_.][^/\\\s]*_[^/\\\s_]+')


def run_of(stem: str) -> str:
    """Return the run (sequence) that a sample belongs to.

    Args:
        stem: Sample name, ``RUN_FRAME``.

    Returns:
        The part before the last underscore.

    Raises:
        ValueError: If the name is not of the form ``RUN_FRAME``, holds
            whitespace or a path separator, or starts with a dot.
    """
    if not _STEM.fullmatch(stem):
        raise ValueError(
            f'{stem!r} is not a sample name: use RUN_FRAME without whitespace '
            'or path separators, such as "run0003_0012".'
        )
    return stem.rpartition('_')[0]


def write_manifest(
    root: str | Path,
    splits: Mapping[str, Iterable[str]],
    scale: int | None = 4,
    generator: dict[str, Any] | None = None,
    checksums: dict[str, Any] | None = None,
    format: str = FORMAT,
) -> None:
    """Write ``manifest.json``.

    Args:
        root: Root of the data set.
        splits: Sample names of each split.
        scale: Reduction factor; None for a format without reduced images.
        generator: Description of how the data was made; must be serializable
            as JSON.
        checksums: Result of
            :func:`mmdsr.io.checksums.write_checksums`.
        format: Name of the layout.

    Raises:
        ValueError: If a split is unknown or a run is in two splits.
    """
    check_splits(splits)
    manifest = {
        'format': format,
        'version': VERSION,
        **({} if scale is None else {'scale': scale}),
        'generator': generator or {},
        **({} if checksums is None else {'checksums': checksums}),
        'splits': {key: sorted(splits.get(key, ())) for key in SPLITS},
    }
    write_bytes(
        Path(root) / MANIFEST,
        (json.dumps(manifest, indent=1) + '\n').encode(),
    )


def read_manifest(
    root: str | Path, formats: Collection[str] | None = (FORMAT,)
) -> dict[str, Any] | None:
    """Read ``manifest.json``.

    Args:
        root: Root of the data set.
        formats: Layouts that the caller can read, None for any.

    Returns:
        The manifest, None if there is no such file.

    Raises:
        ValueError: If the file is not a manifest of these formats and this
            version.
    """
    path = Path(root) / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_text())
        found = manifest['format'], manifest['version']
        lists = [manifest['splits'][key] for key in SPLITS]
        if found[0] == FORMAT:
            manifest['scale'] = int(manifest['scale'])
    # JSON allows an infinite scale.
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise ValueError(
            f'{path} is not a manifest of this layout ({error!r}). Create the '
            'data set again, or delete the file to use the folders without a '
            'manifest.'
        ) from error
    if formats is not None and found[0] not in formats:
        raise ValueError(
            f'{path} has format {found[0]!r}, but this version reads '
            f'{" or ".join(map(repr, formats))}. Choose another data set.'
        )
    if found[1] != VERSION:
        raise ValueError(
            f'{path} has version {found[1]} of its format, but this version '
            f'reads {VERSION}. Create the data set again.'
        )
    if not all(
        isinstance(stems, list) and all(isinstance(s, str) for s in stems)
        for stems in lists
    ):
        raise ValueError(f'{path}: every split must be a list of names.')
    return manifest


def check_splits(splits: Mapping[str, Iterable[str]]) -> None:
    """Check that samples of a run are in one split only.

    Args:
        splits: Sample names of each split.

    Raises:
        ValueError: If a split is unknown or a run is in two splits.
    """
    unknown = sorted(set(splits) - set(SPLITS))
    if unknown:
        raise ValueError(f'Unknown splits {unknown}; there are {SPLITS}.')
    runs = [{run_of(s) for s in splits.get(key, ())} for key in SPLITS]
    both = sorted(set.intersection(*runs))
    if both:
        raise ValueError(
            f'Runs in two splits: {", ".join(both[:5])}. Put each run into '
            'one split only.'
        )
