"""Checking a result against its records and its source."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

from mmdsr.errors import (
    EditedRecordError,
    EvidenceError,
    MissingExtraError,
    VideoError,
)
from mmdsr.evidence.digests import pixels_digest, video_digest
from mmdsr.evidence.embedding import read_png, read_tags
from mmdsr.evidence.record import Record, differences, embedded, show
from mmdsr.evidence.sidecar import (
    VIDEOS,
    overlaid,
    overlay_path,
    read_sidecar,
    sidecar_path,
)
from mmdsr.io.checksums import digest
from mmdsr.io.frames import real_path, shown
from mmdsr.io.listing import natural_order
from mmdsr.io.manifest import MANIFEST

#: Suffixes of the files that are written as results.
IMAGES = ('.png',)
#: Fields that are named where two records differ.
_MOST = 3


#: From harmless to serious. Only ``'different'`` says that something was
#: changed; ``'no record'``: there is nothing to compare with;
#: ``'incomplete'``: a file is missing, so that not all can be checked;
#: ``'renamed'``: only the name differs.
State: TypeAlias = Literal[
    'as recorded', 'renamed', 'incomplete', 'no record', 'different'
]
STATES: tuple[State, ...] = (
    'as recorded',
    'renamed',
    'incomplete',
    'no record',
    'different',
)


@dataclass
class Verdict:
    """Outcome of a check.

    Attributes:
        name: Name of the result, relative to its folder.
        problems: The deviations, one line each; empty if all is as recorded.
        state: The most serious of them.
        record: The record, if one can be read.
        source_checked: Whether the source was compared, too.
        listed: Whether the report of a recording lists it.
    """

    name: str
    problems: list[str] = field(default_factory=list)
    state: State = 'as recorded'
    record: Record | None = None
    source_checked: bool = False
    listed: bool = False

    def say(
        self, text: str, state: State = 'different', first: bool = False
    ) -> None:
        """Add a problem.

        Args:
            text: Description of the deviation.
            state: How serious it is.
            first: Whether the others follow from it.
        """
        self.problems.insert(0 if first else len(self.problems), text)
        self.state = max(self.state, state, key=STATES.index)


#: See :meth:`Verdict.say`.
Say: TypeAlias = Callable[..., None]


@dataclass
class _Found:
    """The readable parts of a result.

    Attributes:
        size: Width and height.
        pixels_sha256: Digest of the pixels.
        tags: Its metadata.
    """

    size: tuple[int, int]
    pixels_sha256: str
    tags: Mapping[str, str]


def verify(
    result: Path,
    source: Path | None = None,
    hashed: Callable[[Path], str] = digest,
) -> Verdict:
    """Check one result.

    Args:
        result: An image or a video.
        source: Its source according to the record, or a folder that
            contains it. Defaults to None: not compared.
        hashed: Function that returns the SHA-256 of a source.

    Returns:
        The verdict. Its ``record`` is ``None`` if no record can be read.

    Raises:
        FileNotFoundError: If there is no such result.
    """
    verdict = Verdict(shown(result.name))
    say = verdict.say
    if not result.is_file():
        if not sidecar_path(result).is_file():
            raise FileNotFoundError(f'There is no result {shown(result)}.')
        say('the result is missing, but its side-car exists', 'incomplete')
        return verdict
    sidecar, edited = _read_sidecar(result, say)
    found = _read_result(result, say)
    own = _read_own(found, say) if found is not None else None
    if not sidecar_path(result).exists():
        if found is not None and own is None and not verdict.problems:
            say(
                'it has neither a side-car nor a record in its metadata',
                'no record',
            )
            return verdict
        _check_left_out(result, own, say)
    verdict.record = sidecar or own
    if sidecar is not None and own is not None:
        _compare(sidecar, own, say)
    elif sidecar is not None and found is not None:
        say('its own metadata contain no readable record')
    # If the side-car was edited, trust the record in the file.
    trusted = own if edited and own is not None else sidecar or own
    if trusted is None:
        return verdict
    if found is not None:
        _check_pixels(found, sidecar or trusted, trusted, say)
    _check_name(result, trusted, say)
    if sidecar is not None:
        _check_file(result, sidecar, say)
    _check_overlay(result, trusted, say)
    if source is not None:
        verdict.source_checked = True
        _check_source(trusted, source, hashed, say)
    return verdict


def verify_folder(root: Path, source: Path | None = None) -> Iterator[Verdict]:
    """Check all results in a folder and below, in natural order.

    Args:
        root: The folder.
        source: Folder of the sources, laid out like it. Defaults to None.

    Yields:
        The verdict on each.

    Raises:
        FileNotFoundError: If there is no result.
    """
    results = _find_results(root)
    if not results:
        raise FileNotFoundError(
            f'{shown(root)} contains no results '
            f'({", ".join(IMAGES + VIDEOS)}).'
        )
    # All frames of a recording have the same source.
    hashed = cache(digest)
    for name in results:
        below = source
        if source is not None and source.is_dir():
            below = source / name.parent
        try:
            verdict = verify(root / name, below, hashed)
        except FileNotFoundError:
            # A broken link; check the others anyway.
            verdict = Verdict('')
            verdict.say('not a regular file')
        verdict.name = shown(name)
        yield verdict


def _find_results(root: Path) -> list[Path]:
    """List the results, and those with only a side-car left."""
    found = set()
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if not name.startswith('.')]
        there = set(names)
        for name in names:
            path = Path(folder) / name
            if name.startswith('.') or name == MANIFEST:
                continue
            if path.suffix == '.json':
                path = path.with_suffix('')
            if path.suffix.lower() not in IMAGES + VIDEOS:
                continue
            base = overlaid(path)
            if (
                base is not None
                and sidecar_path(path).name not in there
                and {base.name, sidecar_path(base).name} & there
            ):
                continue
            found.add(path.relative_to(root))
    return natural_order(found)


def _read_sidecar(result: Path, say: Say) -> tuple[Record | None, bool]:
    """Read the side-car; tell whether it was edited."""
    path = sidecar_path(result)
    try:
        return read_sidecar(path), False
    except FileNotFoundError:
        pass
    except EditedRecordError as error:
        say(f'side-car: {error}')
        return read_sidecar(path, edited=True), True
    except (EvidenceError, OSError) as error:
        say(f'side-car: {error}')
    return None, False


def _check_left_out(result: Path, own: Record | None, say: Say) -> None:
    """Distinguish a missing side-car from one that was not requested."""
    name = shown(sidecar_path(result).name)
    if own is None:
        say(f'the side-car {name} is missing', first=True)
        return
    unknown = own.output.pixels_sha256 is None
    why = ' (only the side-car of a film has their digest)' if unknown else ''
    if own.output.sidecar:
        remedy = 'put it back'
        if own.output.name != shown(result.name):
            remedy = (
                f'rename it like the result, or the result back to '
                f'{show(own.output.name)}'
            )
        unchecked = f', and the pixels cannot be checked{why}' * unknown
        say(
            f'the side-car {name} is missing{unchecked}: {remedy}',
            'incomplete',
            first=True,
        )
    elif unknown:
        say(
            'the pixels cannot be checked: it was made with --no-sidecar'
            f'{why}',
            'incomplete',
            first=True,
        )


def _read_result(result: Path, say: Say) -> _Found | None:
    try:
        if result.suffix.lower() in VIDEOS:
            return _read_video(result)
        pixels, tags = read_png(result)
    except (VideoError, MissingExtraError, OSError, ValueError) as error:
        say(f'the result cannot be read: {_line(error)}')
        return None
    height, width = pixels.shape[:2]
    return _Found((width, height), pixels_digest(pixels), tags)


def _read_video(result: Path) -> _Found:
    from mmdsr.video.reader import probe

    info = probe(result, sar='keep')
    total, _ = video_digest(result)
    return _Found((info.width, info.height), total, info.tags or {})


def _read_own(found: _Found, say: Say) -> Record | None:
    try:
        return read_tags(found.tags, 'the metadata of the result')
    except EvidenceError as error:
        say(str(error))
        return None


def _compare(sidecar: Record, own: Record, say: Say) -> None:
    """Compare both records, except for fields that a file cannot contain."""
    found = differences(embedded(sidecar), own)
    if found:
        more = f', and {len(found) - _MOST} more' if found[_MOST:] else ''
        say(
            'side-car and metadata differ: one of them belongs to another '
            f'result or was edited: {"; ".join(found[:_MOST])}{more} (there: '
            'side-car, here: metadata)'
        )


def _check_pixels(
    found: _Found, sidecar: Record, own: Record, say: Say
) -> None:
    """Compare the pixels with the records."""
    for record in (own, sidecar):
        output = record.output
        if output.pixels_sha256 is None:
            continue
        if found.size != (output.width, output.height):
            say(
                f'the pixels were changed: {found.size[0]}x{found.size[1]} '
                f'of them, not {output.width}x{output.height}'
            )
            return
        if found.pixels_sha256 != output.pixels_sha256:
            say('the pixels were changed')
            return


def _check_name(result: Path, record: Record, say: Say) -> None:
    name = record.output.name
    if shown(result.name) != name:
        say(f'the result was renamed; it was {show(name)}', 'renamed')


def _check_file(result: Path, record: Record, say: Say) -> None:
    output = record.output
    if output.file_sha256 is not None and digest(result) != output.file_sha256:
        say('the file was changed: its SHA-256 is not the one in the side-car')


def _check_overlay(result: Path, record: Record, say: Say) -> None:
    wanted = record.output.confidence
    path = overlay_path(result)
    if wanted is None:
        return
    video = result.suffix.lower() in VIDEOS
    kind = f'confidence {"film" if video else "picture"}'
    if not path.is_file():
        say(f'the {kind} {shown(path.name)} is missing', 'incomplete')
    elif digest(path) != wanted.sha256:
        say(f'the {kind} {shown(path.name)} was changed')


def _check_source(
    record: Record,
    source: Path,
    hashed: Callable[[Path], str],
    say: Say,
) -> None:
    name = record.source.name
    try:
        path = _named(source, name) if source.is_dir() else source
        if not path.is_file():
            say(f'there is no source {show(name)} in {shown(source)}')
        elif hashed(path) != record.source.sha256:
            say(f'the source is a different file: {shown(real_path(path))}')
    except OSError as error:
        say(f'the source cannot be read: {_line(error)}')


def _named(folder: Path, name: str) -> Path:
    """Find a file by its name as it is shown, which is what records hold."""
    path = folder / name
    if not path.exists():
        alike = (one for one in folder.iterdir() if shown(one.name) == name)
        path = next(alike, path)
    return path


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
