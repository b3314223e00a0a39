"""The version lane: read it, compare with it, and say how to match it.

Needs the standard library and packaging only: this must run where the
environment is broken.
"""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

# The parts, and what each needs besides its requirements file. Neither can be
# in an extra: mmcv is built with --no-build-isolation, mmagic is added with
# --no-deps.
HOSTS = {
    'core': (),
    'video': (),
    'serve': (),
    'depth': (),
    'peers': (),
    'imagenet': (),
    'coco': (),
    'onnx': (),
    'openvino': (),
    'int8': (),
    'slurm': (),
    'train': ('mmcv', 'mmagic'),
    'seg': ('mmcv',),
    'det': ('mmcv',),
    'cls': ('mmcv',),
}
PIP_FLAGS = {
    'mmcv': ('--no-build-isolation',),
    'mmagic': ('--no-deps',),
    # By default, pip keeps a wheel that other installs have overwritten.
    'opencv-python-headless': ('--no-deps', '--force-reinstall'),
}


class Lane(NamedTuple):
    """The version lane.

    Attributes:
        path: The constraints file.
        specs: Canonical name to the versions of the lane; an empty set of
            conditions where any version will do.
        needs: Part (a key of ``HOSTS``) to the names that it needs.
        core: What the core works with: name to versions.
    """

    path: Path
    specs: dict[str, SpecifierSet]
    needs: dict[str, tuple[str, ...]]
    core: dict[str, SpecifierSet]


def parse_requirements(text: str) -> dict[str, SpecifierSet]:
    """Read the lines of a requirements file.

    Args:
        text: The file's text; ``#`` starts a comment.

    Returns:
        Canonical name to versions.

    Raises:
        ValueError: If a line is not a name with optional conditions.
    """
    specs: dict[str, SpecifierSet] = {}
    for line in text.splitlines():
        line = line.split('#')[0].strip()
        if not line:
            continue
        try:
            found = Requirement(line)
        except InvalidRequirement as error:
            raise ValueError(f'Not a requirement: {line!r}') from error
        specs[canonicalize_name(found.name)] = found.specifier
    return specs


def find_requirements() -> Path:
    """Return the folder of the requirements files.

    Raises:
        FileNotFoundError: If neither the source tree nor the installed
            package holds them.
    """
    package = Path(__file__).resolve().parents[1]
    for parent in (package / '.mim', package.parent):
        folder = parent / 'requirements'
        if (folder / 'constraints.txt').is_file():
            return folder
    raise FileNotFoundError(
        'requirements/constraints.txt is missing, both beside and inside the '
        'package: reinstall mmdsr.'
    )


def read_lane(folder: Path | None = None) -> Lane:
    """Read the lane.

    Args:
        folder: Folder of the requirements files. Defaults to the one that
            belongs to this package.

    Returns:
        Versions, and what each part needs.
    """
    # In a checkout .mim is a link; the file that it means reads better.
    folder = Path(folder or find_requirements()).resolve()
    path = folder / 'constraints.txt'
    needs = {}
    for part, extra in HOSTS.items():
        name = 'runtime' if part == 'core' else part
        text = (folder / f'{name}.txt').read_text(encoding='utf-8')
        needs[part] = (*parse_requirements(text), *extra)
    specs = parse_requirements(path.read_text(encoding='utf-8'))
    text = (folder / 'runtime.txt').read_text(encoding='utf-8')
    return Lane(path, specs, needs, parse_requirements(text))


def read_version(text: str) -> Version:
    """Parse a version; an invalid one is older than all others."""
    try:
        return Version(text)
    except InvalidVersion:
        return Version('0.dev0')


def satisfies(version: str, spec: SpecifierSet) -> bool:
    """Return whether a version is in the lane.

    A local part (``+cpu``) does not matter; a pre-release is not the release.

    Args:
        version: An installed version.
        spec: The conditions, all of which must hold.
    """
    return spec.contains(read_version(version), prereleases=True)


def bound(spec: SpecifierSet) -> Version:
    """Return the lowest version that conditions name."""
    return min(Version(one.version) for one in spec)


def shown(path: Path | str) -> str:
    """Return a path as one would type it from the current folder."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith('..') else relative


def pip_command(
    lane: Lane, *names: str, action: str = 'install', flags: Sequence[str] = ()
) -> str:
    """Return the pip line for this interpreter and lane."""
    words = [shown(sys.executable), '-m', 'pip', action, *flags]
    if action == 'install':
        words += ['-c', shown(lane.path)]
    else:
        words.append('-y')
    return shlex.join([*words, *names])


def install_command(lane: Lane, name: str) -> str:
    """Return the pip line that installs one package of the lane."""
    return pip_command(lane, name, flags=PIP_FLAGS.get(name, ()))
