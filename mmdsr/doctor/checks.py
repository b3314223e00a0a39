"""Checks of the environment, one pure function for each.

Standard library and packaging only: this must run where the environment is
broken.
"""

import importlib.util
import sys
from collections.abc import Container
from importlib import metadata
from typing import Any, NamedTuple

from packaging.specifiers import SpecifierSet

from mmdsr.doctor.lane import (
    Lane,
    bound,
    install_command,
    pip_command,
    read_version,
    satisfies,
)

OK, WARN, ERROR = 'ok', 'warn', 'error'

#: Interpreters for which the hosts' releases exist, and those for the core.
PYTHONS = ((3, 10), (3, 11))
CORE_PYTHONS = (*PYTHONS, (3, 12), (3, 13))
# The hosts' releases do not name theirs, and nothing speaks against others.
OPEN = ('torch', 'torchvision')
ONEDL = 'mmagic was never moved to the OneDL forks.'
LITE = 'The lite build has no compiled operators.'
# Packages that share a folder with a package of the lane, so that pip does not
# notice when one overwrites the other.
FORKS = {
    'mmcv-lite': ('mmcv', LITE),
    'onedl-mmengine': ('mmengine', ONEDL),
    'onedl-mmcv': ('mmcv', ONEDL),
    'onedl-mmdetection': ('mmdet', ONEDL),
    'onedl-mmsegmentation': ('mmsegmentation', ONEDL),
    'onedl-mmpretrain': ('mmpretrain', ONEDL),
}
MMCV_BUILD = (
    'Without a prebuilt wheel it is compiled, which takes 23 minutes on 2 '
    'cores.'
)
# Why a version outside the lane does not work, by package.
REASONS = {
    'numpy': 'mmagic uses np.bool8, which NumPy 2 removed.',
    'setuptools': 'From version 81, pkg_resources warns and is later '
    'removed; building mmcv and running mmengine need it.',
    'diffusers': 'mmagic imports diffusers.models.unet_2d_condition, which '
    '0.29 removed; 0.25 to 0.27 also break it.',
    'huggingface-hub': 'diffusers up to 0.28 imports cached_download, which '
    '0.26 removed.',
    'transformers': 'From version 4.49, it needs a huggingface_hub that this '
    'diffusers cannot use.',
    'mmcv': 'mmagic, mmdet and mmseg refuse 2.2 and later. ' + MMCV_BUILD,
}


class Finding(NamedTuple):
    """One line of the report.

    Attributes:
        name: What was looked at.
        found: The version found, or ``'missing'``.
        wanted: The lane's version.
        status: ``'ok'``, ``'warn'`` (outside the lane, should work) or
            ``'error'``.
        message: What is wrong and why; empty when all is right.
        fix: The command that fixes it; empty when all is right.
    """

    name: str
    found: str
    wanted: str
    status: str = OK
    message: str = ''
    fix: str = ''


def installed_version(name: str) -> str | None:
    """Return the installed version of a distribution, ``None`` if none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_python(
    version: tuple[Any, ...] | None = None, hosted: bool = True
) -> Finding:
    """Check the interpreter's version.

    Args:
        version: Major and minor. Defaults to this one's.
        hosted: Whether a host is to work, too, not the core alone.

    Returns:
        The result.
    """
    version = tuple(version or sys.version_info[:3])
    pythons = PYTHONS if hosted else CORE_PYTHONS
    names = ' or '.join('.'.join(map(str, pair)) for pair in pythons)
    found = '.'.join(map(str, version))
    if version[:2] in pythons:
        return Finding('python', found, names)
    return Finding(
        'python',
        found,
        names,
        ERROR,
        'The lane was resolved for these versions only.',
        'make distclean setup PYTHON=python3.11',
    )


def check_package(name: str, lane: Lane, hosted: bool = True) -> Finding:
    """Check one distribution against the lane.

    Args:
        name: Normalized distribution name.
        lane: The version lane.
        hosted: Whether a host is to work, too, not the core alone.

    Returns:
        The result.
    """
    spec = lane.specs.get(name, SpecifierSet())
    wanted = str(spec).removeprefix('==') or 'any'
    version = installed_version(name)
    if version is None:
        message = MMCV_BUILD if name == 'mmcv' else 'Not installed.'
        fix = install_command(lane, name)
        return Finding(name, 'missing', wanted, ERROR, message, fix)
    if satisfies(version, spec):
        return Finding(name, version, wanted)
    fix = install_command(lane, name)
    own = lane.core.get(name)
    open_ = name in OPEN or not hosted
    if own and open_ and satisfies(version, own):
        message = 'Not the release used in the tests; it should work.'
        if hosted:
            message += ' mmcv must have been built against this torch.'
        return Finding(name, version, wanted, WARN, message, fix)
    message = REASONS.get(name, 'Not the version of the lane.')
    if read_version(version) < bound(spec):
        message = 'Older than the lane.'
    if own and open_:
        message = f'Too old: mmdsr needs {bound(own)} or later.'
    return Finding(name, version, wanted, ERROR, message, fix)


def check_pkg_resources(lane: Lane) -> Finding:
    """Check that ``pkg_resources`` is there, whatever setuptools says."""
    if importlib.util.find_spec('pkg_resources') is not None:
        return Finding('pkg_resources', 'present', 'present')
    fix = pip_command(lane, 'setuptools', flags=('--force-reinstall',))
    reason = REASONS['setuptools']
    return Finding('pkg_resources', 'missing', 'present', ERROR, reason, fix)


def check_forks(lane: Lane, wanted: Container[str]) -> list[Finding]:
    """Report forks and lite builds that overwrite a package of the lane.

    Args:
        lane: The version lane.
        wanted: Names of the packages that are needed.

    Returns:
        One error for each fork that is installed.
    """
    findings = []
    for fork, (original, why) in FORKS.items():
        version = installed_version(fork)
        if version is None or original not in wanted:
            continue
        message = f'It overwrites {original}. {why}'
        fix = replace_command(lane, fork, original)
        findings.append(Finding(fork, version, 'absent', ERROR, message, fix))
    return findings


def replace_command(lane: Lane, impostor: str, original: str) -> str:
    """Return the command that replaces a fork by the original."""
    remove = pip_command(lane, impostor, original, action='uninstall')
    return f'{remove} && {install_command(lane, original)}'
