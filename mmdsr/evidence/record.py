"""The record of a result, and its JSON.

A record is written twice, as a side-car file and into the metadata of the
result. Both have the same text, except for the digest of the file, which
the file itself cannot contain. Its last field, ``checksum``, is the SHA-256 of
all others; it reveals that a record was edited, not by whom.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Annotated, Literal, TypeAlias

from pydantic import (
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from mmdsr.errors import EditedRecordError, EvidenceError

FORMAT: Literal['mmdsr-evidence'] = 'mmdsr-evidence'
VERSION: Literal[1] = 1
#: From this share of its detail on, a pixel counts as seen in a reference.
#: The published networks give 0.45 where the reference shows LR itself, and
#: less than 0.05 nearly everywhere if it shows another place
#: (docs/evidence.md).
SEEN = 0.25
#: Bytes of a record; an hour at 25 frames per second has up to 24 MB.
LARGEST = 2**29
#: Characters of a value that messages show.
_SHOWN = 60
_CHECKSUM = 'checksum'

Sha256: TypeAlias = Annotated[
    str, StringConstraints(pattern=r'^[0-9a-f]{64}$')
]
#: A file name without a folder: nothing that would lead elsewhere.
Name: TypeAlias = Annotated[
    str,
    StringConstraints(
        pattern=r'^([^/\x00]{3,}|[^./\x00][^/\x00]?|\.[^./\x00])$',
        max_length=1024,
    ),
]
Text: TypeAlias = Annotated[str, StringConstraints(max_length=4096)]
Unit: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Count: TypeAlias = Annotated[int, Field(ge=0)]
#: What a confidence is. ``'share'``: the share of a pixel's detail that the
#: reference showed. ``'score'``: how alike the features of image and
#: reference are, which is high where the reference shows something else, too.
Kind: TypeAlias = Literal['share', 'score']
Value: TypeAlias = str | int | float | bool | None

#: Read by pydantic from each class.
_STRICT = ConfigDict(extra='forbid', strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class NamedFile:
    """A file and its content.

    Attributes:
        name: Name without its folder.
        sha256: SHA-256 of the bytes of the file, 64 hexadecimal digits.
    """

    __pydantic_config__ = _STRICT

    name: Name
    sha256: Sha256


@dataclass(frozen=True)
class Source:
    """The source of a result.

    Attributes:
        name: Name of the file without its folder.
        sha256: SHA-256 of the bytes of the file.
        converted: Conversions made when it was read; '' if none.
    """

    __pydantic_config__ = _STRICT

    name: Name
    sha256: Sha256
    converted: Text = ''


@dataclass(frozen=True)
class Reference:
    """The second image, from which detail may have been taken.

    Attributes:
        name: Name of its file without the folder, or which frame of the
            video it is; ``None`` if there was none.
        sha256: SHA-256 of its file; ``None`` if it was not a file.
        why: The reason for this choice, or for having no reference.
    """

    __pydantic_config__ = _STRICT

    name: Text | None
    sha256: Sha256 | None
    why: Text


@dataclass(frozen=True)
class Frame:
    """How an image, or a frame of a video, was made.

    Attributes:
        index: Which frame of the source, from 0.
        time: Time in the source in seconds; ``None`` for an image.
        reference: The reference of the frame.
        confidence: Mean of the confidence in the reference over all pixels,
            in [0, 1]; ``None`` without a reference. What it says depends on
            the setting ``confidence``, a :data:`Kind`.
        seen: Share of the pixels whose detail was seen in the reference (a
            confidence of at least :data:`SEEN`), in [0, 1]; 0 without one,
            ``None`` if the network's confidence does not tell.
        tile: Side of the tiles that it was computed in, in pixels of the
            source; ``None`` for the whole picture at once.
    """

    __pydantic_config__ = _STRICT

    index: Count
    time: float | None
    reference: Reference
    confidence: Unit | None
    seen: Unit | None
    tile: Count | None = None


@dataclass(frozen=True)
class Output:
    """The result.

    Attributes:
        name: Name of its file without the folder.
        kind: ``'image'`` or ``'video'``.
        width: Pixels.
        height: Pixels.
        pixels_sha256: See :mod:`mmdsr.evidence.digests`; ``None`` in the
            metadata of a video, which are written before the last frame.
        file_sha256: SHA-256 of the bytes of the file; ``None`` in its own
            metadata.
        confidence: The confidence picture beside it, if there is one.
        sidecar: Whether a side-car was written beside it.
    """

    __pydantic_config__ = _STRICT

    name: Name
    kind: Literal['image', 'video']
    width: Count
    height: Count
    pixels_sha256: Sha256 | None
    file_sha256: Sha256 | None = None
    confidence: NamedFile | None = None
    sidecar: bool = True


@dataclass(frozen=True)
class Record:
    """How a result was made.

    Attributes:
        created: When, in UTC: ``2026-01-31T12:00:00Z``.
        source: The source.
        weights: Name and SHA-256 of the file of the network's weights;
            ``None`` for an interpolation.
        versions: Version of each package that pixels depend on.
        settings: Everything else that pixels depend on.
        mark: Text of the visible mark; ``None`` without one.
        output: The result.
        frames: How each of its pictures was made; left out in the metadata
            of a video, where it may be long.
        format: Always :data:`FORMAT`.
        version: Version of the format.
    """

    __pydantic_config__ = _STRICT

    created: Annotated[
        str,
        StringConstraints(pattern=r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$'),
    ]
    source: Source
    weights: NamedFile | None
    versions: dict[str, Text]
    settings: dict[str, Value]
    mark: Text | None
    output: Output
    frames: tuple[Frame, ...]
    format: Literal['mmdsr-evidence'] = FORMAT
    version: Literal[1] = VERSION


@cache
def _adapter() -> TypeAdapter[Record]:
    return TypeAdapter(Record)


def embedded(record: Record) -> Record:
    """Return the part of a record that the file itself can hold.

    Args:
        record: The complete record of a result.

    Returns:
        The record without the digest of the file; that of a video without
        its frames and the digest of its pixels, too.
    """
    output = replace(record.output, file_sha256=None)
    if output.kind == 'image':
        return replace(record, output=output)
    output = replace(output, pixels_sha256=None)
    return replace(record, output=output, frames=())


def to_json(record: Record) -> str:
    """Write a record, with its settings sorted by name.

    Args:
        record: The record.

    Returns:
        Several lines of ASCII text.

    Raises:
        EvidenceError: If a value has the wrong type.
    """
    fields = asdict(record)
    start = {key: fields.pop(key) for key in ('format', 'version')}
    for key in ('versions', 'settings'):
        fields[key] = dict(sorted(fields[key].items()))
    # Tuples become lists, as they are when read.
    fields = json.loads(json.dumps({**start, **fields}))
    _validate(fields, 'The record')
    fields[_CHECKSUM] = _checksum(fields)
    return json.dumps(fields, indent=1)


def from_json(text: str | bytes, name: str, edited: bool = False) -> Record:
    """Read a record.

    Args:
        text: Output of :func:`to_json`.
        name: Its name for messages.
        edited: Whether to read a record whose checksum is wrong.

    Returns:
        The record.

    Raises:
        EvidenceError: If it is not a record.
        EditedRecordError: If it was changed after it was written.
    """
    if len(text) > LARGEST:
        raise EvidenceError(
            f'{name} is not a record of a result: it is too large.'
        )
    try:
        fields = json.loads(
            text, object_pairs_hook=_once, parse_constant=_refuse_constant
        )
    # Deep nesting, invalid UTF-8, or numbers of a million digits.
    except (ValueError, RecursionError) as error:
        raise EvidenceError(
            f'{name} is not a record of a result: {_short(error)}.'
        ) from error
    if not isinstance(fields, dict) or fields.get('format') != FORMAT:
        raise EvidenceError(f'{name} is not a record of a result.')
    if fields.get('version') != VERSION:
        raise EvidenceError(
            f'{name} has version {show(fields.get("version"))} of the record, '
            f'but this program reads {VERSION}: use another version of mmdsr.'
        )
    checksum = fields.pop(_CHECKSUM, None)
    record = _validate(fields, name)
    if checksum != _checksum(fields) and not edited:
        raise EditedRecordError(
            f'{name} was edited: its checksum does not match.'
        )
    return record


def differences(one: Record, other: Record) -> list[str]:
    """Return the fields in which two records differ.

    Args:
        one: A record.
        other: Another one.

    Returns:
        ``'FIELD is ONE there and OTHER here'`` for each, in their order.
    """
    left, right = dict(_flat(asdict(one))), dict(_flat(asdict(other)))
    return [
        f'{key} is {show(left.get(key))} there and {show(right.get(key))} here'
        for key in dict.fromkeys((*left, *right))
        if left.get(key) != right.get(key)
    ]


def show(value: object) -> str:
    """Format a value for a message.

    Args:
        value: Any value of a record.

    Returns:
        One short line without control characters.
    """
    text = json.dumps(value, default=str)
    return text if len(text) <= _SHOWN else f'{text[:_SHOWN]}...'


def _validate(fields: dict, name: str) -> Record:
    try:
        return _adapter().validate_json(json.dumps(fields))
    # The second: a text that is not Unicode.
    except (ValidationError, ValueError, RecursionError) as error:
        reason = _short(error)
        if isinstance(error, ValidationError):
            first = error.errors(include_url=False)[0]
            where = '.'.join(map(str, first['loc']))
            reason = f'{show(where)}: {first["msg"]}'
        raise EvidenceError(
            f'{name} is not a record of a result: {reason}.'
        ) from error


def _checksum(fields: dict) -> str:
    text = json.dumps(fields, sort_keys=True, separators=(',', ':'))
    return hashlib.sha256(text.encode()).hexdigest()


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse a duplicate key: readers would interpret it differently."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError('a key occurs twice')
    return fields


def _refuse_constant(name: str) -> None:
    raise ValueError(f'{name} is not a number')


def _short(error: BaseException) -> str:
    return (str(error).splitlines() or [''])[0].rstrip('.')[:_SHOWN] or (
        type(error).__name__
    )


def _flat(value: object, path: str = '') -> Iterator[tuple[str, object]]:
    """Yield the leaves of nested dicts and lists with their paths."""
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, (list, tuple)):
        items = list(enumerate(value))
    else:
        yield path, value
        return
    for key, part in items:
        yield from _flat(part, f'{path}.{key}' if path else str(key))
