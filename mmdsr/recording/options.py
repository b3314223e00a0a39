"""Options for enhancing a recording."""

import re
from dataclasses import dataclass
from pathlib import Path

from mmdsr.recording.neighbors import POLICIES
from mmdsr.recording.painter import SCALES, SHOWS
from mmdsr.recording.region import parse_box
from mmdsr.recording.writer import CRF, FILMS
from mmdsr.settings import Settings, setting
from mmdsr.video.reader import DEINTERLACE

#: Frames of a segment: what a killed process has to do again at most.
SEGMENT = 24
_TIME = re.compile(r'(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?)')


def parse_time(text: str) -> float:
    """Read seconds, ``mm:ss`` or ``hh:mm:ss``, with a fraction or without.

    Raises:
        ValueError: If it has another format.
    """
    found = _TIME.fullmatch(text.strip())
    if not found:
        raise ValueError(
            f'{text!r} is not a time: give seconds (12.5) or hh:mm:ss.'
        )
    hours, minutes, seconds = found.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)


@dataclass(frozen=True)
class RecordingOptions(Settings):
    """Which part of a recording is enhanced, and how it is written.

    Raises:
        ValueError: If a value is out of its range.
    """

    reference: str = setting(
        'auto',
        f'one of {", ".join(POLICIES)}, or the path of an image',
        option=False,
    )
    region: str = setting(
        'whole',
        'what is enhanced: all, the part around the vanishing point of the '
        'pipe, or a box in pixels of the recording (default: %(default)s)',
        metavar='whole|far|X,Y,W,H',
    )
    show: str = setting(
        'zoom',
        'the region alone, in a corner of the picture, or back in its place '
        'in the enlarged picture (default: %(default)s)',
        choices=SHOWS,
    )
    scale: int = setting(
        4,
        'how many times as many rows and columns: 1, 2 or 4',
        choices=SCALES,
        option=False,
    )
    text: str = setting(
        'auto',
        'burned-in text, which is interpolated and never enhanced: found, '
        'none, or these boxes (default: %(default)s)',
        metavar='auto|none|X,Y,W,H[;...]',
    )
    deinterlace: str = setting(
        'auto',
        'frames that are flagged as interlaced, all, or none (default: '
        '%(default)s)',
        choices=DEINTERLACE,
    )
    start: float = setting(
        0.0,
        'start of the section: s or hh:mm:ss',
        least=0,
        metavar='TIME',
        parse=parse_time,
    )
    end: float | None = setting(
        None,
        'end of the section: s or hh:mm:ss',
        metavar='TIME',
        parse=parse_time,
    )
    every: int = setting(1, 'use only every N-th frame', least=1, metavar='N')
    crf: int = setting(
        CRF,
        'quality of an MP4, 0 to 51, less is better (default: %(default)s)',
        least=0,
        most=51,
    )
    audio: str = setting(
        'copy',
        'copy the sound, or leave it out (default: %(default)s)',
        choices=('copy', 'none'),
    )
    side_by_side: bool = setting(
        False,
        'show the interpolated picture on the left and the enhanced one '
        'on the right',
    )
    segment: int = setting(
        SEGMENT,
        'frames per segment; an interrupted run keeps finished segments',
        least=1,
        option=False,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.end is not None and not self.end > self.start:
            raise ValueError(
                f'end must be after start: {self.end} is not above '
                f'{self.start}.'
            )
        if self.region not in ('whole', 'far'):
            if ',' not in self.region:
                raise ValueError(
                    f"The region {self.region!r} is neither 'whole' nor 'far' "
                    'nor a box, X,Y,WIDTH,HEIGHT in pixels of the recording.'
                )
            parse_box(self.region)
        elif self.region == 'whole' and self.show != 'zoom':
            raise ValueError(
                f'show={self.show} shows a part of the picture: also set '
                "region to 'far' or a box."
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


def film_suffix(target: Path) -> str:
    """Return the suffix of a film to be made, '' for a folder of frames.

    Raises:
        ValueError: If nothing can be written under such a name.
    """
    if target.name in ('', '..'):
        raise ValueError(
            f'{target} cannot be OUT: name a file, or a folder for the frames.'
        )
    suffix = target.suffix.lower()
    if suffix in FILMS:
        return suffix
    if suffix and not target.is_dir():
        raise ValueError(
            f'{target.name} does not name a supported format: end it in .mp4 '
            '(H.264) or .mkv (lossless), or give a folder for the frames.'
        )
    return ''
