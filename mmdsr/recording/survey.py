"""Scan a recording for text and the far end before enhancing it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from mmdsr.depth.vanishing import find_vanishing_point
from mmdsr.extras import require
from mmdsr.video.overlays import detect_overlays
from mmdsr.video.reader import read_video
from mmdsr.video.report import Selection
from mmdsr.video.stamps import Sampler

#: Text is looked for in up to twice as many frames.
_LUMAS = 24
#: Minimum mean luma of a frame that is inspected.
_DARK = 16
#: Seconds between the frames in which the vanishing point is looked for, and
#: their maximum number in a long recording.
_STEP, _POINTS = 0.5, 600

Points = list[tuple[float, float, float, float]]


def survey(
    path: Path,
    duration: float,
    deinterlace: str,
    text: bool,
    far: bool,
    progress: Callable[[float], None] | None = None,
) -> tuple[list[tuple[int, int, int, int]], Points, list[str]]:
    """Look for burned-in text and the vanishing point.

    Key frames are used if there are enough; otherwise all are decoded.

    Args:
        path: The recording.
        duration: Its seconds.
        deinterlace: ``'auto'``, ``'on'`` or ``'off'``.
        text: Whether to look for text.
        far: Whether to look for the vanishing point.
        progress: Called with the seconds read so far.

    Returns:
        Boxes of text ``(x, y, w, h)``; seconds, x, y and confidence of the
        vanishing points; and notes for the report.
    """
    if not (text or far):
        return [], [], []
    if far:
        require('video', 'scipy')
    step = max(min(_STEP, duration / _LUMAS), duration / _POINTS)
    wanted = max(_LUMAS // 2, duration / step / 2 if far else 0)
    for key_frames in (True, False):
        lumas: Selection[np.ndarray] = Selection(_LUMAS)
        points: Points = []
        seen, shape = 0, None
        for _, time, picture in read_video(
            path,
            deinterlace,
            'keep',
            Sampler(None, step),
            key_frames=key_frames,
        ):
            if progress is not None:
                progress(time)
            seen += 1
            shape = shape or picture.shape
            if picture.shape != shape or picture.mean() < _DARK:
                continue
            if text:
                lumas.offer(partial(_luma, picture))
            if far:
                point = find_vanishing_point(np.ascontiguousarray(picture))
                sure = 0.0 if point.problem else point.confidence
                points.append((time, point.x, point.y, sure))
        if seen >= wanted:
            break
    boxes: list[tuple[int, int, int, int]] = []
    notes: list[str] = []
    if text:
        found, why = detect_overlays(lumas.items)
        boxes = [(int(x), int(y), int(w), int(h)) for x, y, w, h in found]
        if why:
            notes.append(f'Burned-in text was not detected: {why}.')
    return boxes, points, notes


def _luma(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
