"""``--cfg-options KEY=VALUE``, read with the config at hand.

mmengine's own action removes the spaces of a value and makes a list of one
with a comma before it is known what the config has there: a path loses its
spaces. Here the text is kept until the options are merged.
"""

import re
from collections.abc import Mapping, Sequence

from mmengine.config import DictAction

from mmdsr.errors import UsageError

#: Keys that name a file or a folder where a config has no value yet.
_PATHS = re.compile(r'(root|dir|file|path|prefix|from|checkpoint|weights)$')
#: Spaces inside of a list's item, not those around it.
_INNER = re.compile(r'(?<=[^\s,\[\](]) +(?=[^\s,\[\])])')
_SPACE = '\0'


class RawOption(str):
    """Value of an option as it was typed."""

    __slots__ = ()


class _OptionsAction(DictAction):
    """Collects the options as :class:`RawOption`, by key."""

    def __call__(self, parser, namespace, values, option_string=None):
        """Take the values of one ``--cfg-options``."""
        options = dict(getattr(namespace, self.dest, None) or {})
        for text in values:
            key, sign, value = text.partition('=')
            if not sign or not key:
                parser.error(f'{option_string}: {text!r} is not KEY=VALUE.')
            options[key] = RawOption(value)
        setattr(namespace, self.dest, options)


def add_options_argument(
    parser, about='override values of the config', flag='--cfg-options'
):
    """Add ``--cfg-options`` to a command line.

    Args:
        parser (ArgumentParser): Gets the argument; its value is a dict of
            :class:`RawOption`, for :func:`merge_options`.
        about (str): Help text.
        flag (str): Name of the argument. Defaults to '--cfg-options'.
    """
    parser.add_argument(
        flag,
        nargs='+',
        action=_OptionsAction,
        metavar='KEY=VALUE',
        help=about,
    )


def merge_options(cfg, options, source):
    """Override values of a config, in place.

    Args:
        cfg (Config): The config.
        options (dict or None): Values by key with dots. A
            :class:`RawOption` is read as :func:`read_option` says.
        source (str or Path): The config's file, for messages.

    Raises:
        UsageError: If an option does not fit the config.
    """
    try:
        cfg.merge_from_dict(read_options(options, cfg))
    except (KeyError, TypeError, IndexError, AssertionError) as error:
        raise UsageError(
            f'--cfg-options do not fit the config {source}: {error}'
        ) from error


def read_options(options, cfg=None):
    """Turn what was typed into values.

    Args:
        options (dict or None): See :func:`merge_options`.
        cfg (Config, optional): The config that they are for. Defaults to
            None, not known.

    Returns:
        dict: Values by key.

    Raises:
        UsageError: If the brackets of a list do not match.
    """
    return {
        key: read_option(key, value, _current(cfg, key))
        if isinstance(value, RawOption)
        else value
        for key, value in (options or {}).items()
    }


def read_option(key, text, current=None):
    """Turn the text of an option into a value.

    Args:
        key (str): The option.
        text (str): What was typed.
        current (Any): What the config has there. Defaults to None.

    Returns:
        Any: Where the config has a text, and for the path of something that
        it has no value for, the text as it is (``None`` is still none). Else
        a number, a truth value, a list (``a,b`` or ``[a,b]``), or a text.

    Raises:
        UsageError: If the brackets of a list do not match.
    """
    if text[:1] in ('"', "'") and text[-1:] == text[:1] and len(text) > 1:
        text = text[1:-1]
    keep = isinstance(current, str) or (
        current is None and _PATHS.search(key) and text[:1] not in ('[', '(')
    )
    if keep:
        return None if text == 'None' else str(text)
    try:
        # Without the spaces of an item, mmengine reads the list.
        value = DictAction._parse_iterable(_INNER.sub(_SPACE, text))
    except AssertionError as error:
        raise UsageError(f'--cfg-options {key}: {error}.') from error
    return _with_spaces(value)


def _with_spaces(value):
    if isinstance(value, str):
        return value.replace(_SPACE, ' ')
    if isinstance(value, (list, tuple)):
        return type(value)(map(_with_spaces, value))
    return value


def _current(cfg, key):
    """Value of a config at a key with dots, None if there is none."""
    for part in key.split('.'):
        if isinstance(cfg, Mapping) or hasattr(cfg, 'filename'):
            cfg = cfg.get(part)
        elif isinstance(cfg, Sequence) and not isinstance(cfg, str):
            inside = part.isdigit() and int(part) < len(cfg)
            cfg = cfg[int(part)] if inside else None
        else:
            return None
    return cfg
