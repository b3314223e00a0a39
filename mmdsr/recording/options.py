"""How a recording is to be enhanced."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path

from mmdsr.recording.neighbors import POLICIES
from mmdsr.recording.painter import SCALES, SHOWS
from mmdsr.recording.region import parse_box
from mmdsr.recording.writer import CRF, FILMS
from mmdsr.video.reader import DEINTERLACE

SOUND = ('copy', 'none')
#: Frames of a segment: what a killed process has to do again at most.
SEGMENT = 24
_TIME = re.compile(r'(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?)')


@dataclass(frozen=True)
class RecordingOptions:
    """What is enhanced of a recording, and how it is written.

    Attributes:
        reference: One of :data:`mmdsr.recording.neighbors.POLICIES`, or the
            path of an image.
        region: ``'whole'``, ``'far'`` or ``'x,y,w,h'`` in pixels of the
            recording.
        show: How a region is shown: ``'zoom'`` alone, ``'inset'`` in a
            corner of the picture, ``'back'`` in its place.
        scale: How many times as many rows and columns: 1, 2 or 4.
        text: Burned-in text: ``'auto'`` to find it, ``'none'``, or boxes
            ``'x,y,w,h'`` divided by ``;``.
        deinterlace: ``'auto'``, ``'on'`` or ``'off'``.
        start: Seconds at which to begin.
        end: Seconds at which to end; None for the end.
        every: Every so many-th frame is used.
        crf: Quality of H.264, 0 to 51, less is better.
        audio: ``'copy'`` or ``'none'``.
        side_by_side: Whether the interpolated picture stands at the left.
        segment: Frames of a segment, of which an interrupted run keeps the
            finished ones.

    Raises:
        ValueError: If a value is out of its range.
    """

    reference: str = 'auto'
    region: str = 'whole'
    show: str = 'zoom'
    scale: int = 4
    text: str = 'auto'
    deinterlace: str = 'auto'
    start: float = 0.0
    end: float | None = None
    every: int = 1
    crf: int = CRF
    audio: str = 'copy'
    side_by_side: bool = False
    segment: int = SEGMENT

    def __post_init__(self) -> None:
        for name, choices in (
            ('show', SHOWS),
            ('scale', SCALES),
            ('deinterlace', DEINTERLACE),
            ('audio', SOUND),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f'{name} must be one of {", ".join(map(str, choices))}, '
                    f'not {getattr(self, name)!r}.'
                )
        for name, least, most in (
            ('every', 1, None),
            ('crf', 0, 51),
            ('segment', 1, None),
            ('start', 0, None),
        ):
            value = getattr(self, name)
            # Written so that NaN is refused, too.
            if not (value >= least and (most is None or value <= most)):
                upper = '' if most is None else f' and at most {most}'
                raise ValueError(
                    f'{name} must be at least {least}{upper}, not {value}.'
                )
        if self.end is not None and not self.end > self.start:
            raise ValueError(
                f'end must come after start: {self.end} is not above '
                f'{self.start}.'
            )
        if self.region not in ('whole', 'far'):
            parse_box(self.region)
        elif self.region == 'whole' and self.show != 'zoom':
            raise ValueError(
                f'show={self.show} is for a part of the picture: give '
                "region='far' or a box with it."
            )
        self.texts()
        if (
            self.reference not in POLICIES
            and not Path(self.reference).is_file()
        ):
            raise ValueError(
                f'reference must be one of {", ".join(POLICIES)} or an image '
                f'file; there is no file {self.reference}.'
            )

    def texts(self) -> list[tuple[int, int, int, int]]:
        """Return the boxes of text that are given."""
        if self.text in ('auto', 'none'):
            return []
        return [parse_box(one) for one in self.text.split(';')]

    @property
    def policy(self) -> str:
        """Which references: a policy, or ``'file'``."""
        return self.reference if self.reference in POLICIES else 'file'

    def as_dict(self) -> dict:
        """Return what JSON can hold."""
        return asdict(self)


def parse_time(text: str) -> float:
    """Read seconds, ``mm:ss`` or ``hh:mm:ss``, with a fraction or without.

    Raises:
        ValueError: If it is something else.
    """
    found = _TIME.fullmatch(text.strip())
    if not found:
        raise ValueError(
            f'{text!r} is no time: give seconds (12.5) or hh:mm:ss.'
        )
    hours, minutes, seconds = found.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)


def film_suffix(target: Path) -> str:
    """Return the suffix of a film to be made, '' for a folder of frames.

    Raises:
        ValueError: If nothing can be written under such a name.
    """
    suffix = target.suffix.lower()
    if suffix in FILMS:
        return suffix
    if suffix and not target.is_dir():
        raise ValueError(
            f'{target.name} names no format that is written: end it in .mp4 '
            '(H.264), .mkv (lossless), or name a folder for the frames.'
        )
    return ''
