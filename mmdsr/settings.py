"""Settings that are defined once, for Python and for the command line.

A field has its default, limits and description in one place::

    @dataclass(frozen=True)
    class Choice(Settings):
        '''How frames are chosen.'''

        every: int = setting(1, 'use every N-th frame', least=1, metavar='N')

``Choice.add_to(parser)`` adds ``--every`` to an :mod:`argparse` parser,
``Choice.read(args)`` makes the settings, and the description is also that of
the attribute in the documentation.
"""

import argparse
import inspect
import types
from collections.abc import Callable, Collection, Sequence
from dataclasses import Field, asdict, dataclass, field, fields
from typing import (
    Any,
    NamedTuple,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

_S = TypeVar('_S', bound='Settings')
_Group: TypeAlias = argparse._ActionsContainer
_KEY = 'setting'


class _Setting(NamedTuple):
    """Properties of a field other than its type and its default."""

    help: str
    least: float | None
    most: float | None
    choices: Collection[Any] | None
    metavar: str | tuple[str, ...] | None
    parse: Callable[[Any], Any] | None
    const: str | None
    repeat: bool
    group: str | None
    rival: str | None
    option: bool


def setting(
    default: Any,  # noqa: ANN401
    help: str,
    *,
    least: float | None = None,
    most: float | None = None,
    choices: Collection[Any] | None = None,
    metavar: str | tuple[str, ...] | None = None,
    parse: Callable[[Any], Any] | None = None,
    const: str | None = None,
    repeat: bool = False,
    group: str | None = None,
    rival: str | None = None,
    option: bool = True,
) -> Any:  # noqa: ANN401
    """Return the field of a setting.

    Args:
        default: Its default. A flag that is on by default is turned off by
            ``--no-NAME``.
        help: Text for the help; ``%(default)s`` stands for the default.
        least: The smallest value; for a field with several values, of each.
        most: The largest value; for a field with several values, of each.
        choices: All allowed values.
        metavar: Name of the value in the help.
        parse: Converts the text of the command line to the value; the message
            of a ValueError is shown to the user.
        const: The value of an option without an argument.
        repeat: Whether the option may be repeated; ``parse`` then gets a
            list.
        group: Title of its group in the help.
        rival: Name shared by options that exclude each other.
        option: Whether :meth:`Settings.add_to` adds an option.
    """
    known = _Setting(
        help, least, most, choices, metavar, parse, const, repeat, group,
        rival, option,
    )  # fmt: skip
    return field(default=default, metadata={_KEY: known})


@dataclass(frozen=True)
class Settings:
    """Base of dataclasses with fields made by :func:`setting`.

    Raises:
        ValueError: If a value is out of its range.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        lines = [
            f'    {name}: '
            + ('if False, ' if one.default is True else '')
            + _about(one)
            for name, one in vars(cls).items()
            if isinstance(one, Field) and _KEY in one.metadata
        ]
        if lines and cls.__doc__:
            text = inspect.cleandoc(cls.__doc__)
            cls.__doc__ = '\n'.join([text, '', 'Attributes:', *lines])

    def __post_init__(self) -> None:
        for one in fields(self):
            if _KEY in one.metadata:
                _check(one.name, getattr(self, one.name), one.metadata[_KEY])

    @classmethod
    def option_names(cls) -> tuple[str, ...]:
        """Return the names of the fields that have an option."""
        return tuple(
            one.name
            for one in fields(cls)
            if _KEY in one.metadata and one.metadata[_KEY].option
        )

    @classmethod
    def add_to(cls, parser: _Group, leave_out: Collection[str] = ()) -> None:
        """Add the options to a command line.

        Options that are not given are None.

        Args:
            parser: The parser, or a group of it.
            leave_out: Fields without an option.
        """
        hints = get_type_hints(cls)
        groups: dict[str | None, _Group] = {None: parser}
        rivals: dict[str, _Group] = {}
        shown = set(cls.option_names()).difference(leave_out)
        for one in (one for one in fields(cls) if one.name in shown):
            known = one.metadata[_KEY]
            if known.group not in groups:
                groups[known.group] = parser.add_argument_group(known.group)
            place = groups[known.group]
            if known.rival:
                if known.rival not in rivals:
                    rivals[known.rival] = place.add_mutually_exclusive_group()
                place = rivals[known.rival]
            name = one.name.replace('_', '-')
            place.add_argument(
                f'--no-{name}' if one.default is True else f'--{name}',
                dest=one.name,
                default=None,
                help=_about(one),
                **_kind(hints[one.name], known, one.default),
            )

    @classmethod
    def read(cls: type[_S], args: argparse.Namespace, **more: object) -> _S:
        """Return the settings of a command line.

        Args:
            args: The parsed command line. Fields that are None or missing keep
                their defaults.
            **more: Values of other fields.

        Raises:
            ValueError: If a value is invalid or out of range.
        """
        hints = get_type_hints(cls)
        given = {}
        for one in fields(cls):
            value = getattr(args, one.name, None)
            if value is None:
                continue
            known = one.metadata.get(_KEY)
            if known is not None and known.parse is not None:
                value = known.parse(value)
            elif get_origin(_present(hints[one.name])) is tuple:
                value = tuple(value)
            given[one.name] = value
        return cls(**{**given, **more})

    def as_dict(self) -> dict[str, Any]:
        """Return the values by name."""
        return asdict(self)


def _present(hint: object) -> Any:  # noqa: ANN401
    """Return a type without an optional None."""
    if get_origin(hint) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(hint) if kind is not type(None)]
        return kinds[0] if len(kinds) == 1 else hint
    return hint


def _kind(hint: object, known: _Setting, default: object) -> dict[str, Any]:
    """Return the arguments of argparse for the type of a setting."""
    hint = _present(hint)
    if hint is bool:
        return dict(action='store_false' if default is True else 'store_true')
    if known.const is not None:
        return dict(action='store_const', const=known.const)
    kind: dict[str, Any] = dict(metavar=known.metavar)
    if known.repeat:
        kind['action'] = 'append'
    if known.choices is not None:
        kind['choices'] = known.choices
    if get_origin(hint) is tuple:
        parts = get_args(hint)
        kind['nargs'] = '+' if parts[-1] is Ellipsis else len(parts)
        hint = parts[0]
    # A field with ``parse`` gets the text as typed.
    return kind if known.parse else dict(kind, type=hint)


def _about(one: Field) -> str:
    """Return the description of a field, with its default."""
    default = one.default
    if isinstance(default, tuple):
        default = ' '.join(map(str, default))
    return one.metadata[_KEY].help.replace('%(default)s', str(default))


def _check(name: str, value: object, known: _Setting) -> None:
    """Raise an error if a value is out of range."""
    if value is None:
        return
    if known.choices is not None and value not in known.choices:
        raise ValueError(
            f'{name} must be one of {", ".join(map(str, known.choices))}, '
            f'not {value!r}.'
        )
    least, most = known.least, known.most
    if least is None and most is None:
        return
    values: Sequence[Any] = value if isinstance(value, Sequence) else [value]
    # This form also refuses NaN.
    if not all(
        (least is None or one >= least) and (most is None or one <= most)
        for one in values
    ):
        limits = [
            f'at {word} {limit}'
            for word, limit in (('least', least), ('most', most))
            if limit is not None
        ]
        raise ValueError(
            f'{name} must be {" and ".join(limits)}, not '
            f'{" ".join(map(str, values))}.'
        )
