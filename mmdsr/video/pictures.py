"""From decoded frames to RGB pictures: fields, aspect ratio, rotation."""

import av.error
import av.filter
import numpy as np
from av.video.reformatter import VideoReformatter

_COLORSPACE_UNSPECIFIED = 2
_HD_HEIGHT = 720


def sample_aspect(stream):
    """Return the width of a stored sample divided by its height.

    Args:
        stream (av.VideoStream): The picture track.

    Returns:
        float: In [0.25, 4]; 1 if it is not known or not credible.
    """
    ratio = float(stream.sample_aspect_ratio or 1)
    return ratio if 0.25 <= ratio <= 4 else 1.0


def square_size(width, height, ratio):
    """Return the size with square pixels: the denser axis is reduced.

    Args:
        width (int): Stored width.
        height (int): Stored height.
        ratio (float): Width of a sample divided by its height.

    Returns:
        tuple[int, int]: Width and height.
    """
    if ratio > 1:
        return width, max(1, round(height / ratio))
    return max(1, round(width * ratio)), height


def quarter_turns(frame):
    """Return how many quarter turns to the left make a frame upright.

    Args:
        frame (av.VideoFrame or None): The frame.

    Returns:
        int: From 0 to 3.
    """
    return round((getattr(frame, 'rotation', 0) or 0) / 90) % 4


def deinterlaced(frames, always):
    """Send the frames through bwdif, which holds some of them back.

    Args:
        frames (Iterable[tuple]): Index, time and frame.
        always (bool): All frames, not only those flagged as interlaced.

    Yields:
        tuple[int, float, av.VideoFrame]: The same, deinterlaced.
    """
    graph, kind, held = None, None, []
    for index, time, frame in frames:
        if kind != (frame.width, frame.height, frame.format.name):
            yield from _flushed(graph, held)
            kind = (frame.width, frame.height, frame.format.name)
            graph = _bwdif(frame, always)
        held.append((index, time))
        graph.vpush(frame)
        yield from _pulled(graph, held)
    yield from _flushed(graph, held)


def _bwdif(frame, always):
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


def _pulled(graph, held):
    while held:
        try:
            frame = graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        index, time = held.pop(0)
        yield index, time, frame


def _flushed(graph, held):
    if graph is not None:
        graph.vpush(None)
        yield from _pulled(graph, held)
    held.clear()


def rgb_pictures(frames, ratio, sar, wanted):
    """Turn the wanted frames into upright RGB.

    Args:
        frames (Iterable[tuple]): Index, time and frame.
        ratio (float): As :func:`sample_aspect` returns it.
        sar (str): ``'square'`` or ``'keep'``.
        wanted (Callable or None): ``wanted(index, time)``.

    Yields:
        tuple[int, float, np.ndarray or None]: Index, time and ``(H, W, 3)``
        uint8 RGB; None for a frame that is not wanted.
    """
    reformatter = VideoReformatter()
    for index, time, frame in frames:
        if wanted is not None and not wanted(index, time):
            yield index, time, None
            continue
        size = frame.width, frame.height
        width, height = square_size(*size, ratio) if sar == 'square' else size
        unknown = frame.colorspace == _COLORSPACE_UNSPECIFIED
        hd = unknown and frame.height >= _HD_HEIGHT
        image = reformatter.reformat(
            frame,
            width,
            height,
            'rgb24',
            src_colorspace='ITU709' if hd else None,
            interpolation='BICUBIC',
        ).to_ndarray()
        turns = quarter_turns(frame)
        yield index, time, np.rot90(image, turns) if turns else image
