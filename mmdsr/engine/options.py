"""``--cfg-options KEY=VALUE``, parsed with the config at hand.

mmengine's own action removes the spaces of a value and converts a value with a
comma to a list before the value in the config is known, so that paths lose
their spaces. Here the text is kept until the options are merged.
"""

import inspect
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mmengine import Config
from mmengine.config import DictAction
from mmengine.runner import Runner

from mmdsr.errors import UsageError

#: Keys of files and folders, for configs without a value.
_PATHS = re.compile(r'(root|dir|file|path|prefix|from|checkpoint|weights)$')
#: Spaces inside an item of a list, not those around it.
_INNER = re.compile(r'(?<=[^\s,\[\](]) +(?=[^\s,\[\])])')
_SPACE = '\0'
#: Keys at the top of a config that mmengine's runner reads besides its
#: arguments.
_OF_THE_RUNNER = (
    'activation_checkpointing',
    'compile',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'sync_bn',
)


class RawOption(str):
    """Value of an option as typed."""

    __slots__ = ()


class _OptionsAction(DictAction):
    """Collect the options as :class:`RawOption`, by key."""

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: Sequence[str],
        option_string: str | None = None,
    ) -> None:
        """Add the values of one ``--cfg-options``."""
        options = dict(getattr(namespace, self.dest, None) or {})
        for text in values:
            key, sign, value = text.partition('=')
            if not sign or not key:
                parser.error(f'{option_string}: {text!r} is not KEY=VALUE.')
            options[key] = RawOption(value)
        setattr(namespace, self.dest, options)


def add_options_argument(
    parser: ArgumentParser,
    about: str = 'override values of the config',
    flag: str = '--cfg-options',
) -> None:
    """Add ``--cfg-options`` to a command line.

    Args:
        parser: Parser of the command line. The value of the argument is a dict
            of :class:`RawOption`, for :func:`merge_options`.
        about: Help text.
        flag: Name of the argument.
    """
    parser.add_argument(
        flag,
        nargs='+',
        action=_OptionsAction,
        metavar='KEY=VALUE',
        help=about,
    )


def merge_options(
    cfg: Config, options: dict[str, Any] | None, source: Path | str
) -> None:
    """Override values of a config, in place.

    Args:
        cfg: The config.
        options: Values by dotted key. A :class:`RawOption` is parsed as in
            :func:`read_option`.
        source: The config's file, for messages.

    Raises:
        UsageError: If an option does not fit the config, or nothing would read
            it.
    """
    for key in options or ():
        _check_top(key, cfg, source)
    try:
        cfg.merge_from_dict(read_options(options, cfg))
    except (KeyError, TypeError, IndexError, AssertionError) as error:
        raise UsageError(
            f'--cfg-options does not fit the config {source}: {error}'
        ) from error


def _check_top(key: str, cfg: Config, source: Path | str) -> None:
    """Refuse an option that nothing reads, such as a misspelled one."""
    top = key.split('.')[0]
    known: Iterable[str] = {
        *cfg,
        *inspect.signature(Runner).parameters,
        *_OF_THE_RUNNER,
    }
    if top in known:
        return
    close = get_close_matches(top, known, n=1)
    hint = f' (did you mean {close[0]!r}?)' if close else ''
    raise UsageError(
        f'--cfg-options {key}: the config {source} has no {top!r}{hint}, and '
        'nothing would read it.'
    )


def read_options(
    options: dict[str, Any] | None, cfg: Config | None = None
) -> dict[str, Any]:
    """Parse options.

    Args:
        options: See :func:`merge_options`.
        cfg: Config of the options, if known.

    Returns:
        Values by key.

    Raises:
        UsageError: If the brackets of a list do not match.
    """
    return {
        key: read_option(key, value, _current(cfg, key))
        if isinstance(value, RawOption)
        else value
        for key, value in (options or {}).items()
    }


def read_option(key: str, text: str, current: object = None) -> object:
    """Parse the text of an option.

    Args:
        key: Key of the option.
        text: Value as typed.
        current: Value in the config.

    Returns:
        The unchanged text if the config has a string, or has no value and the
        key is that of a path (but ``None`` always means no value). Otherwise a
        number, a bool, a list (``a,b`` or ``[a,b]``), or a string.

    Raises:
        UsageError: If the brackets of a list do not match or cannot be read.
    """
    if text[:1] in ('"', "'") and text[-1:] == text[:1] and len(text) > 1:
        text = text[1:-1]
    keep = isinstance(current, str) or (
        current is None and _PATHS.search(key) and text[:1] not in ('[', '(')
    )
    if keep:
        return None if text == 'None' else str(text)
    try:
        # mmengine parses lists whose items have no spaces.
        value = DictAction._parse_iterable(_INNER.sub(_SPACE, text))
    except AssertionError as error:
        raise UsageError(f'--cfg-options {key}: {error}.') from error
    except RecursionError as error:
        raise UsageError(
            f'--cfg-options {key}: {text!r} cannot be read: brackets must '
            'enclose the whole value or an item of a list.'
        ) from error
    return _with_spaces(value)


def _with_spaces(value: object) -> object:
    if isinstance(value, str):
        return value.replace(_SPACE, ' ')
    if isinstance(value, (list, tuple)):
        return type(value)(map(_with_spaces, value))
    return value


def _current(cfg: object, key: str) -> object:
    """Return the value of a config at a dotted key, None if missing."""
    for part in key.split('.'):
        if isinstance(cfg, (Mapping, Config)):
            cfg = cfg.get(part)
        elif isinstance(cfg, Sequence) and not isinstance(cfg, str):
            inside = part.isdigit() and int(part) < len(cfg)
            cfg = cfg[int(part)] if inside else None
        else:
            return None
    return cfg
