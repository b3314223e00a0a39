"""Find text and region before the first frame is enhanced."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mmdsr.recording.facts import Facts
from mmdsr.recording.options import RecordingOptions
from mmdsr.recording.region import Track, follow, parse_box, still
from mmdsr.recording.survey import survey

#: Smallest side of a region.
_LEAST = 16
#: Share of the picture under text beyond which that is doubted.
_DOUBTED = 0.25


@dataclass(frozen=True)
class Plan:
    """Findings that all processes of a film share.

    Attributes:
        texts: Boxes ``(x, y, w, h)`` of burned-in text.
        track: Track of the region; None for the whole picture.
        notes: Notes on text and region.
    """

    texts: tuple[tuple[int, int, int, int], ...]
    track: Track | None
    notes: tuple[str, ...]

    def as_dict(self) -> dict:
        """Return the object as JSON-serializable values."""
        track = self.track and self.track.as_dict()
        return dict(texts=self.texts, track=track, notes=self.notes)

    @classmethod
    def from_dict(cls, fields: dict) -> 'Plan':
        """Rebuild the object from the output of :meth:`as_dict`."""
        track = fields['track'] and Track.from_dict(fields['track'])
        texts = tuple(map(tuple, fields['texts']))
        return cls(texts, track, tuple(fields['notes']))


def make_plan(
    source: Path,
    facts: Facts,
    options: RecordingOptions,
    progress: Callable[[float], None] | None = None,
) -> Plan:
    """Find text and region.

    Args:
        source: The recording.
        facts: Metadata of the recording.
        options: The options of the command.
        progress: Called with the seconds read so far.

    Raises:
        ValueError: If a box reaches out of the picture or is too small.
    """
    box = None
    if options.region not in ('whole', 'far'):
        box = _checked(parse_box(options.region), facts)
    for one in options.texts():
        _checked(one, facts, least=1)
    texts, points, notes = survey(
        source,
        facts.duration,
        options.deinterlace,
        options.text == 'auto',
        options.region == 'far',
        progress,
    )
    texts = texts or options.texts()
    track = still(box) if box else None
    if options.region == 'far':
        track, note = follow(points, facts.width, facts.height)
        notes += [note] if note else []
    covered = sum(w * h for _, _, w, h in texts)
    if covered > _DOUBTED * facts.width * facts.height:
        notes.append(
            'More than a quarter of the picture is treated as burned-in text '
            'and only interpolated. Check whether this is right; --text none '
            'or boxes override it.'
        )
    return Plan(tuple(texts), track, tuple(notes))


def _checked(
    box: tuple[int, int, int, int], facts: Facts, least: int = _LEAST
) -> tuple[int, int, int, int]:
    x, y, w, h = box
    shown = ','.join(map(str, box))
    if x + w > facts.width or y + h > facts.height:
        raise ValueError(
            f'The box {shown} extends beyond the picture: it must be within '
            f'{facts.width}x{facts.height} pixels.'
        )
    if min(w, h) < least:
        raise ValueError(
            f'The box {shown} is too small: width and height must be at '
            f'least {least} pixels.'
        )
    return box
