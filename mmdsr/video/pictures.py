"""Convert decoded frames to RGB: fields, aspect ratio, rotation."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

import av.error
import av.filter
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter
from av.video.stream import VideoStream

#: Index, time in seconds and frame.
TimedFrame: TypeAlias = tuple[int, float, VideoFrame]

_COLORSPACE_UNSPECIFIED = 2
_HD_HEIGHT = 720


def sample_aspect(stream: VideoStream) -> float:
    """Return the width of a stored sample divided by its height.

    Args:
        stream: The picture track.

    Returns:
        The ratio in [0.25, 4]; 1 if it is unknown or not credible.
    """
    ratio = float(stream.sample_aspect_ratio or 1)
    return ratio if 0.25 <= ratio <= 4 else 1.0


def square_size(width: int, height: int, ratio: float) -> tuple[int, int]:
    """Return the size with square pixels: the denser axis is reduced.

    Args:
        width: Stored width.
        height: Stored height.
        ratio: Width of a sample divided by its height.

    Returns:
        Width and height.
    """
    if ratio > 1:
        return width, max(1, round(height / ratio))
    return max(1, round(width * ratio)), height


def quarter_turns(frame: VideoFrame | None) -> int:
    """Return the number of quarter turns to the left to make a frame upright.

    Args:
        frame: The frame.

    Returns:
        The number of turns, from 0 to 3.
    """
    return round((getattr(frame, 'rotation', 0) or 0) / 90) % 4


def deinterlaced(
    frames: Iterable[TimedFrame], always: bool
) -> Iterator[TimedFrame]:
    """Deinterlace frames by bwdif, which delays some of them.

    Args:
        frames: Index, time and frame.
        always: Deinterlace all frames, not only those flagged as interlaced.

    Yields:
        The same, with the frames deinterlaced.
    """
    graph, kind = None, None
    held: list[tuple[int, float]] = []
    for index, time, frame in frames:
        found = frame.width, frame.height, frame.format.name
        if graph is None or kind != found:
            yield from _flushed(graph, held)
            kind, graph = found, _bwdif(frame, always)
        held.append((index, time))
        graph.vpush(frame)
        yield from _pulled(graph, held)
    yield from _flushed(graph, held)


def _bwdif(frame: VideoFrame, always: bool) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base,
    )
    kind = 'all' if always else 'interlaced'
    bwdif = graph.add('bwdif', f'mode=send_frame:deint={kind}')
    sink = graph.add('buffersink')
    graph.link_nodes(source, bwdif, sink).configure()
    return graph


def _pulled(
    graph: av.filter.Graph, held: list[tuple[int, float]]
) -> Iterator[TimedFrame]:
    while held:
        try:
            frame = graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        index, time = held.pop(0)
        yield index, time, frame


def _flushed(
    graph: av.filter.Graph | None, held: list[tuple[int, float]]
) -> Iterator[TimedFrame]:
    if graph is not None:
        graph.vpush(None)
        yield from _pulled(graph, held)
    held.clear()


def rgb_pictures(
    frames: Iterable[TimedFrame],
    ratio: float,
    sar: str,
    wanted: Callable[[int, float], bool] | None,
) -> Iterator[tuple[int, float, np.ndarray | None]]:
    """Convert the requested frames to upright RGB.

    Args:
        frames: Index, time and frame.
        ratio: Result of :func:`sample_aspect`.
        sar: ``'square'`` or ``'keep'``.
        wanted: ``wanted(index, time)`` returns whether a frame is requested;
            None for all frames.

    Yields:
        Index, time and picture ``(H, W, 3)`` uint8 RGB; the picture is None
        for a frame that is not requested.
    """
    reformatter = VideoReformatter()
    for index, time, frame in frames:
        if wanted is not None and not wanted(index, time):
            yield index, time, None
            continue
        width, height = frame.width, frame.height
        if sar == 'square':
            width, height = square_size(width, height, ratio)
        unknown = frame.colorspace == _COLORSPACE_UNSPECIFIED
        hd = unknown and frame.height >= _HD_HEIGHT
        image = reformatter.reformat(
            frame,
            width,
            height,
            'rgb24',
            src_colorspace=Colorspace.ITU709 if hd else None,
            interpolation='BICUBIC',
        ).to_ndarray()
        turns = quarter_turns(frame)
        yield index, time, np.rot90(image, turns) if turns else image
