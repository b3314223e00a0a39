"""Settings of the conversion of videos."""

from collections.abc import Sequence
from dataclasses import dataclass

from mmdsr.io.frames import MIN_LR_SIDE
from mmdsr.settings import Settings, setting
from mmdsr.video.overlays import Box
from mmdsr.video.reader import DEINTERLACE, SAR

NO_REFERENCE = ('drop', 'self')
_PICTURE, _FRAMES, _REFERENCES = 'picture', 'frames', 'references'


def read_overlays(texts: Sequence[str]) -> str | tuple[Box, ...]:
    """Parse ``auto``, ``none`` or boxes ``X,Y,W,H``.

    Raises:
        ValueError: If a value is invalid, or a word is combined with others.
    """
    boxes = []
    for text in texts:
        if text in ('auto', 'none'):
            if len(texts) > 1:
                raise ValueError(
                    f'--overlays {text} cannot be combined with other '
                    '--overlays.'
                )
            return text
        try:
            x, y, w, h = (int(part) for part in text.split(','))
        except ValueError as error:
            raise ValueError(
                f'--overlays {text!r} is neither auto, none nor X,Y,W,H in '
                'pixels.'
            ) from error
        boxes.append((x, y, w, h))
    return tuple(boxes)


@dataclass(frozen=True)
class VideoOptions(Settings):
    """How frames are cropped, chosen and paired.

    Boxes and crops are in pixels of the picture after ``sar`` is applied.

    Raises:
        ValueError: If a value is out of its range.
    """

    scale: int = setting(4, 'reduction factor (default %(default)s)', least=2)
    deinterlace: str = setting(
        'auto',
        'auto: only frames flagged as interlaced (default)',
        choices=DEINTERLACE,
        group=_PICTURE,
    )
    sar: str = setting(
        'square',
        'resample anamorphic video to square pixels (default), or keep its '
        'samples',
        choices=SAR,
        group=_PICTURE,
    )
    overlays: str | tuple[Box, ...] = setting(
        'auto',
        'avoid burned-in text: detected (default), or boxes in pixels '
        '(repeat the option); the largest rectangle free of it is used',
        metavar='auto|none|X,Y,W,H',
        parse=read_overlays,
        repeat=True,
        group=_PICTURE,
    )
    crop: Box | None = setting(
        None,
        'the part to use, instead of --overlays',
        metavar=('X', 'Y', 'W', 'H'),
        group=_PICTURE,
    )
    size: tuple[int, int] | None = setting(
        None,
        'crop the center to this aspect ratio and reduce it to this size; '
        "the paper's is 448 320 (default: the size of the picture, down to a "
        'multiple of the scale)',
        metavar=('W', 'H'),
        group=_PICTURE,
    )
    step_seconds: float = setting(
        0.2,
        'look at a frame every S seconds (default %(default)s; 0 = all)',
        least=0,
        metavar='S',
        group=_FRAMES,
        rival='step',
    )
    every: int | None = setting(
        None,
        'look at every N-th frame',
        least=1,
        metavar='N',
        group=_FRAMES,
        rival='step',
    )
    dark: float = setting(
        16.0,
        'drop frames whose mean luma is below this (0 to 255; default '
        '%(default)s)',
        least=0,
        most=255,
        group=_FRAMES,
    )
    blur: float = setting(
        0.25,
        'drop frames whose sharpness is below this share of the median '
        'around them (0 = none; default %(default)s)',
        least=0,
        most=1,
        group=_FRAMES,
    )
    duplicate: float = setting(
        2.0,
        'drop frames that differ by less than this from the last kept one '
        '(mean gray levels of the reduced picture; 0 = none; default '
        '%(default)s)',
        least=0,
        most=255,
        group=_FRAMES,
    )
    window: int = setting(
        8,
        'number of kept frames before and after among which the reference is '
        'chosen (default %(default)s)',
        least=1,
        most=100,
        metavar='N',
        group=_REFERENCES,
    )
    min_matches: int = setting(
        15,
        'fewest feature matches with a reference (default %(default)s)',
        least=10,
        metavar='N',
        group=_REFERENCES,
    )
    min_spread: float = setting(
        0.18,
        'smallest share of the frame or of the reference that they are '
        'spread over (default %(default)s)',
        least=0,
        most=1,
        metavar='SHARE',
        group=_REFERENCES,
    )
    no_reference: str = setting(
        'drop',
        'frames without a usable reference: drop them (default), or give '
        'them their own enlarged low-resolution image',
        choices=NO_REFERENCE,
        group=_REFERENCES,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.overlays, str):
            if self.overlays not in ('auto', 'none'):
                raise ValueError(
                    "overlays must be 'auto', 'none' or boxes, not "
                    f'{self.overlays!r}.'
                )
            boxes: tuple[Box, ...] = ()
        else:
            boxes = self.overlays
        for x, y, w, h in (*boxes, *([self.crop] if self.crop else [])):
            if x < 0 or y < 0 or w < 1 or h < 1:
                raise ValueError(
                    f'The box {x} {y} {w} {h} must be X Y WIDTH HEIGHT: no '
                    'value may be negative, and width and height must not be '
                    '0.'
                )
        if self.size is None:
            return
        least = MIN_LR_SIDE * self.scale
        if any(side % self.scale or side < least for side in self.size):
            raise ValueError(
                f'size must be two multiples of the scale {self.scale} of at '
                f'least {least}, not {self.size[0]} {self.size[1]}.'
            )
