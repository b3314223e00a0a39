"""The version lane: read it, compare with it, say how to get into it.

Standard library only: this must run where the environment is broken.
"""

import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

# The parts, and what each needs besides its requirements file. Neither can be
# in an extra: mmcv is built with --no-build-isolation, mmagic is added with
# --no-deps.
HOSTS = {
    'core': (),
    'video': (),
    'serve': (),
    'depth': (),
    'peers': (),
    'coco': (),
    'onnx': (),
    'openvino': (),
    'int8': (),
    'train': ('mmcv', 'mmagic'),
    'seg': ('mmcv',),
    'det': ('mmcv',),
    'cls': ('mmcv',),
}
PIP_FLAGS = {
    'mmcv': ('--no-build-isolation',),
    'mmagic': ('--no-deps',),
    # pip alone would keep a wheel that other installs have overwritten.
    'opencv-python-headless': ('--no-deps', '--force-reinstall'),
}


class Lane(NamedTuple):
    """The version lane.

    Attributes:
        path: The constraints file.
        specs: Normalised name to specifier, for example ``'==2.9.1'``; the
            empty string where any version will do.
        needs: Part (a key of ``HOSTS``) to the names that it needs.
        core: What the core works with: name to specifier.
    """

    path: Path
    specs: dict[str, str]
    needs: dict[str, tuple[str, ...]]
    core: dict[str, str]


def normalise(name: str) -> str:
    """Return a distribution name as the package index spells it."""
    return re.sub(r'[-_.]+', '-', name).lower()


def parse_requirements(text: str) -> dict[str, str]:
    """Read the lines of a requirements file.

    Args:
        text: The file's text; ``#`` starts a comment.

    Returns:
        Normalised name to specifier.

    Raises:
        ValueError: If a line is not a name with an optional specifier.
    """
    specs = {}
    for line in text.splitlines():
        line = line.split('#')[0].strip()
        if not line:
            continue
        match = re.fullmatch(r'([\w.-]+)\s*([<>=!~].*)?', line)
        if match is None:
            raise ValueError(f'Not a requirement: {line!r}')
        specs[normalise(match[1])] = (match[2] or '').replace(' ', '')
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


def release(version: str) -> tuple[int, ...]:
    """Return the numbers of a version: ``'2.9.1+cpu'`` gives (2, 9, 1)."""
    numbers = re.match(r'\d+(\.\d+)*', version)
    if numbers is None:
        return (0,)
    parts = [int(part) for part in numbers[0].split('.')]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def satisfies(version: str, spec: str) -> bool:
    """Tell whether a version is in the lane.

    A local part (``+cpu``) does not matter; a pre-release is not the release.

    Args:
        version: An installed version.
        spec: ``'==1.2.0'``, ``'<81'``, ``'>=1,<2'`` or ``''``.

    Returns:
        Whether all the conditions hold.

    Raises:
        ValueError: If a condition is none of ``== < <= > >= !=``.
    """
    tests = {
        '==': lambda a, b: a == b,
        '!=': lambda a, b: a != b,
        '<=': lambda a, b: a <= b,
        '>=': lambda a, b: a >= b,
        '<': lambda a, b: a < b,
        '>': lambda a, b: a > b,
    }
    public = version.split('+')[0]
    final = re.fullmatch(r'[\d.]+(\.?post\d+)?', public) is not None
    for part in filter(None, spec.split(',')):
        match = re.fullmatch(r'(==|!=|<=|>=|<|>)([\w.]+)', part)
        if match is None:
            raise ValueError(f'Cannot read the condition {part!r}.')
        if not tests[match[1]](release(public), release(match[2])):
            return False
        if match[1] == '==' and not final:
            return False
    return True


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
