"""Sample names, splits and the manifest of the layout."""

import json
import re
from pathlib import Path

from mmdsr.converters.images import write_bytes

FORMAT = 'mmdsr-refsr'
VERSION = 1
SPLITS = ('train', 'test')

_STEM = re.compile(r'[^/\\\s_.][^/\\\s]*_[^/\\\s_]+')


def run_of(stem):
    """Return the run (sequence) that a sample belongs to.

    Args:
        stem (str): Sample name, ``RUN_FRAME``.

    Returns:
        str: All before the last underscore.

    Raises:
        ValueError: If the name is not of the form ``RUN_FRAME``, holds
            white space or a path separator, or starts with a dot.
    """
    if not _STEM.fullmatch(stem):
        raise ValueError(
            f'{stem!r} is no sample name: use RUN_FRAME without white space '
            'or path separators, such as "run0003_0012".'
        )
    return stem.rpartition('_')[0]


def write_manifest(root, splits, scale=4, generator=None):
    """Write ``manifest.json``.

    Args:
        root (str or Path): Root of the data set.
        splits (dict[str, iterable[str]]): Split to its sample names.
        scale (int): Reduction factor.
        generator (dict, optional): Anything JSON can hold that says how the
            data was made.

    Raises:
        ValueError: If a split is unknown or a run is in two splits.
    """
    manifest = {
        'format': FORMAT,
        'version': VERSION,
        'scale': scale,
        'generator': generator or {},
        'splits': {key: sorted(splits.get(key, ())) for key in SPLITS},
    }
    _check_splits(splits)
    write_bytes(
        Path(root) / 'manifest.json',
        (json.dumps(manifest, indent=1) + '\n').encode(),
    )


def read_manifest(root):
    """Read ``manifest.json``.

    Args:
        root (str or Path): Root of the data set.

    Returns:
        dict or None: The manifest, None if there is no such file.

    Raises:
        ValueError: If the file is no manifest of this format and version.
    """
    path = Path(root) / 'manifest.json'
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_text())
        found = manifest['format'], manifest['version']
        lists = [manifest['splits'][key] for key in SPLITS]
        manifest['scale'] = int(manifest['scale'])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f'{path} is no manifest of this layout ({error!r}). Write the '
            'data set anew, or delete the file to use the folders as they '
            'are.'
        ) from error
    if found != (FORMAT, VERSION):
        raise ValueError(
            f'{path} has format {found}, this version reads '
            f'{(FORMAT, VERSION)}. Write the data set anew.'
        )
    if not all(isinstance(stems, list) for stems in lists):
        raise ValueError(f'{path}: every split must be a list of names.')
    return manifest


def _check_splits(splits):
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
