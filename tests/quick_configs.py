"""Configs are read and written without what mmengine spends most time on."""

import ast
from functools import cache

from mmengine.config import config, utils


def quicken_configs():
    """Make reading and writing configs faster; their values are the same.

    A config that inherits from a host's makes mmengine read the host's 150
    metafiles and import pkg_resources again, which takes a second. For each
    config that it writes, yapf breaks the lines, which takes a third of one.
    """
    if config.FormatCode is not _leave:
        config.FormatCode = _leave
        config.is_installed = cache(config.is_installed)
        utils.load = cache(utils.load)


def _leave(text, style_config, **options):
    """Check code as yapf does, but leave it as it is."""
    ast.parse(text)
    return text, False
