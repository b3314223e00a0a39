"""Size of the pictures, which not every format can hold."""

from collections.abc import Iterator
from dataclasses import replace

from mmdsr.recording.facts import Facts
from mmdsr.recording.layout import inset_factor
from mmdsr.recording.options import RecordingOptions
from mmdsr.recording.painter import SCALES
from mmdsr.recording.region import far_size, parse_box

#: Most columns or rows that x264 encodes.
_MOST = 16384


def picture_size(facts: Facts, options: RecordingOptions) -> tuple[int, int]:
    """Return the width and height of the pictures that are written.

    Args:
        facts: Metadata of the recording.
        options: The options of the command.
    """
    whole = region = facts.width, facts.height
    if options.region == 'far':
        region = far_size(*whole)
    elif options.region != 'whole':
        region = parse_box(options.region)[2:]
    factor = options.scale
    if options.show == 'inset':
        factor = inset_factor(whole, region, factor)
    width, height = region if options.show == 'zoom' else whole
    return width * factor * (1 + options.side_by_side), height * factor


def check_size(suffix: str, facts: Facts, options: RecordingOptions) -> None:
    """Refuse pictures that are too large, before anything is made.

    Args:
        suffix: Suffix of the film, '' for a folder of frames.
        facts: Metadata of the recording.
        options: The options of the command.

    Raises:
        ValueError: If the film cannot hold them.
    """
    width, height = picture_size(facts, options)
    if suffix == '.mp4' and max(width, height) > _MOST:
        raise ValueError(
            f'An MP4 has at most {_MOST} columns and rows, but the pictures '
            f'would be {width}x{height}: '
            f'{" or ".join(_remedies(facts, options))}.'
        )


def _remedies(facts: Facts, options: RecordingOptions) -> Iterator[str]:
    """Yield what each makes the pictures fit by itself."""
    yield 'end OUT in .mkv'
    fitting = [
        scale
        for scale in SCALES
        if max(picture_size(facts, replace(options, scale=scale))) <= _MOST
    ]
    if fitting:
        yield f'set --scale {max(fitting)}'
    alone = replace(options, side_by_side=False)
    if max(picture_size(facts, alone)) <= _MOST:
        yield 'omit --side-by-side'
