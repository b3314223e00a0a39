"""The settings of the conversion of videos."""

from dataclasses import asdict, dataclass
from typing import Any

from mmdsr.io.frames import MIN_LR_SIDE
from mmdsr.video.overlays import Box
from mmdsr.video.reader import DEINTERLACE, SAR

NO_REFERENCE = ('drop', 'self')


@dataclass(frozen=True)
class VideoOptions:
    """How frames are cut, chosen and paired.

    Boxes and crops are in pixels of the picture as it is after ``sar``.

    Attributes:
        scale: Reduction factor.
        size: ``(W, H)`` of the samples; None keeps the size of the picture,
            down to a multiple of the scale.
        deinterlace: ``'auto'``, ``'on'`` or ``'off'``.
        sar: ``'square'`` or ``'keep'``.
        overlays: ``'auto'`` finds burned-in text, ``'none'`` uses the whole
            picture; or boxes ``(x, y, w, h)`` to avoid.
        crop: ``(x, y, w, h)`` to use; overlays are then not looked for.
        every: Look at every n-th frame.
        step_seconds: Look at a frame every so many seconds; not used with
            ``every``.
        window: How many kept frames away a reference may be.
        min_matches: Fewest matches of a usable reference.
        min_spread: Smallest share in [0, 1] of the frame or the reference that
            the matches are spread over.
        no_reference: A frame without a usable reference is left out
            (``'drop'``), or gets its enlarged low-resolution image
            (``'self'``).
        dark: Smallest mean luma in [0, 255].
        blur: Smallest sharpness, relative to the median around the frame.
        duplicate: Smallest mean difference from the last kept frame, in gray
            levels.

    Raises:
        ValueError: If a value is out of its range.
    """

    scale: int = 4
    size: tuple[int, int] | None = None
    deinterlace: str = 'auto'
    sar: str = 'square'
    overlays: str | tuple[Box, ...] = 'auto'
    crop: Box | None = None
    every: int | None = None
    step_seconds: float = 0.2
    window: int = 8
    min_matches: int = 15
    min_spread: float = 0.18
    no_reference: str = 'drop'
    dark: float = 16.0
    blur: float = 0.25
    duplicate: float = 2.0

    def __post_init__(self) -> None:
        self._check_choices()
        self._check_size()
        for name, least, most in (
            ('every', 1, None),
            ('step_seconds', 0, None),
            ('window', 1, 100),
            ('min_matches', 10, None),
            ('min_spread', 0, 1),
            ('dark', 0, 255),
            ('blur', 0, 1),
            ('duplicate', 0, 255),
        ):
            value = getattr(self, name)
            if value is None:
                continue
            # Written so that it refuses NaN, too.
            if not (value >= least and (most is None or value <= most)):
                upper = '' if most is None else f' and at most {most}'
                raise ValueError(
                    f'{name} must be at least {least}{upper}, not {value}.'
                )
        boxes = () if isinstance(self.overlays, str) else self.overlays
        for x, y, w, h in (*boxes, *([self.crop] if self.crop else [])):
            if x < 0 or y < 0 or w < 1 or h < 1:
                raise ValueError(
                    f'The box {x} {y} {w} {h} must be X Y WIDTH HEIGHT: no '
                    'value may be negative, and width and height must not be '
                    '0.'
                )

    def _check_choices(self) -> None:
        for name, choices in (
            ('deinterlace', DEINTERLACE),
            ('sar', SAR),
            ('no_reference', NO_REFERENCE),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f'{name} must be one of {choices}, not '
                    f'{getattr(self, name)!r}.'
                )
        if isinstance(self.overlays, str) and self.overlays not in (
            'auto',
            'none',
        ):
            raise ValueError(
                "overlays must be 'auto', 'none' or boxes, not "
                f'{self.overlays!r}.'
            )

    def _check_size(self) -> None:
        if self.scale < 2:
            raise ValueError(f'scale must be >= 2, not {self.scale}.')
        if self.size is None:
            return
        least = MIN_LR_SIDE * self.scale
        if any(side % self.scale or side < least for side in self.size):
            raise ValueError(
                f'size must be two multiples of the scale {self.scale} of at '
                f'least {least}, not {self.size[0]} {self.size[1]}.'
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the settings.

        Returns:
            The values by name.
        """
        return asdict(self)
