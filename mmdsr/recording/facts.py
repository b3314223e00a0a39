"""Properties of a recording that its film keeps."""

from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

from mmdsr.recording.ask import ask

#: Codes of FFmpeg, the same as in ITU-T H.273.
BT709, UNKNOWN, BT470BG, SMPTE170M = 1, 2, 5, 6
LIMITED, FULL = 1, 2


@dataclass(frozen=True)
class Colors:
    """How the pixels of a video stand for colors, in codes of FFmpeg.

    Attributes:
        matrix: How luma and color differences are made of RGB.
        range: :data:`LIMITED` (16 to 235) or :data:`FULL`.
        primaries: Which red, green and blue.
        transfer: Which curve.
    """

    matrix: int
    range: int
    primaries: int
    transfer: int


@dataclass(frozen=True)
class Sound:
    """An audio track.

    Attributes:
        track: Its number in the file.
        codec: Name of its codec.
        start: Seconds of its first packet, counted from the first picture.
        rate: Samples per second.
        channels: Number of channels.
    """

    track: int
    codec: str
    start: float
    rate: int
    channels: int


@dataclass(frozen=True)
class Facts:
    """The properties of a recording that the enhanced one keeps.

    Attributes:
        width: Stored columns of the upright picture.
        height: Stored rows of the upright picture.
        frames: Pictures in the file, as far as it can be told without
            decoding.
        duration: Seconds.
        rate: Pictures per second, on average.
        time_base: Seconds of a tick, as a fraction such as ``'1/90000'``.
        variable: Whether the gaps between pictures differ by more than the
            tick explains.
        first: Ticks of the first picture.
        sar: Width of a stored pixel divided by its height, upright, as a
            fraction; ``'1/1'`` if the file does not say.
        turned: Degrees that the pictures are turned to the left to be
            upright, a multiple of 90.
        interlaced: Whether the first pictures are flagged as interlaced.
        colors: How pixels stand for colors.
        codec: Name of the codec.
        container: Name of the file format.
        tracks: Number of video tracks; the largest one is used.
        sounds: The audio tracks with anything in them.
    """

    width: int
    height: int
    frames: int
    duration: float
    rate: float
    time_base: str
    variable: bool
    first: int
    sar: str
    turned: int
    interlaced: bool
    colors: Colors
    codec: str
    container: str
    tracks: int
    sounds: tuple[Sound, ...]

    @property
    def tick(self) -> Fraction:
        """Seconds of a tick."""
        return Fraction(self.time_base)

    @property
    def aspect(self) -> Fraction:
        """Width of a pixel divided by its height."""
        return Fraction(self.sar)

    def ticks(self, time: float) -> int:
        """Return the ticks of a time in seconds from the first picture."""
        return round(time / self.tick)

    def as_dict(self) -> dict:
        """Return the facts as JSON-serializable values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict) -> 'Facts':
        """Rebuild the object from the output of :meth:`as_dict`."""
        return cls(
            **{
                **fields,
                'colors': Colors(**fields['colors']),
                'sounds': tuple(Sound(**one) for one in fields['sounds']),
            }
        )


def read_facts(path: Path) -> Facts:
    """Read the metadata of a recording in a separate process.

    Args:
        path: The file.

    Raises:
        VideoError: If no frame can be read.
        OSError: If the file is missing or may not be read.
        MissingExtraError: Without PyAV.
    """
    return Facts.from_dict(ask('facts', {'path': str(path)}))


def notes_on(facts: Facts, found: dict) -> list[str]:
    """Return the notes of the report on the source."""
    notes = []
    stats = found.get('stats', {})
    if facts.turned:
        notes.append(
            f'The pictures were turned upright (by {facts.turned} degrees to '
            'the left); the film needs no rotation.'
        )
    if stats.get('restarts'):
        notes.append(
            'Its time stamps restart, as in joined recordings; the times '
            'of the film follow each other.'
        )
    if facts.tracks > 1:
        notes.append(
            f'It contains {facts.tracks} video tracks; the one of '
            f'{facts.width}x{facts.height} is used.'
        )
    return notes
