"""Locate burned-in text and the largest picture without it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import cv2
import numpy as np

#: ``(x, y, w, h)`` in pixels.
Box: TypeAlias = tuple[int, int, int, int]

_EDGE = 14
"""Smallest gradient of an edge of text, in gray levels per pixel."""
_LASTING, _STILL = 0.85, 0.4
"""Smallest shares of frames with the same edge: of text, and next to text."""
_MOVING = 4.0
"""Smallest temporal deviation of a picture that changes, in gray levels."""


def detect_overlays(lumas: Sequence[np.ndarray]) -> tuple[list[Box], str]:
    """Find text that stays in place while the picture changes.

    An edge of text is strong and has the same direction at the same place in
    nearly all frames; edges of the scene move. The digits of a counter change,
    but they are next to characters that do not change, and recur often enough
    to be found with them.

    Args:
        lumas: Frames from the whole video, each ``(H, W)`` uint8.

    Returns:
        The boxes, and why text cannot be detected ('' if it can).
    """
    if len(lumas) < 4:
        return [], (
            'separating text from the scene takes at least 4 frames, not '
            f'{len(lumas)}'
        )
    if _change(lumas) < _MOVING:
        return [], 'the picture hardly changes, so text does not stand out'
    share = _lasting_edges(lumas)
    height, width = share.shape
    # Wide enough to join letters to words and words to lines.
    reach = max(9, width // 24), max(3, height // 90)
    kernel = np.ones(reach[::-1], np.uint8)
    still = (share >= _STILL).astype(np.uint8)
    closed = cv2.morphologyEx(still, cv2.MORPH_CLOSE, kernel)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
    boxes = []
    for label in range(1, count):
        x, y, w, h = stats[label][:4]
        inside = labels[y : y + h, x : x + w] == label
        sure = (share[y : y + h, x : x + w] >= _LASTING) & inside
        # A line of the scene is thin, or long and slanted, so that its box
        # is mostly empty.
        if h < 5 or w < 8 or sure.sum() < 24 or sure.sum() < 0.08 * w * h:
            continue
        boxes.append(_padded((x, y, w, h), width, height))
    return _merged(boxes), ''


def _change(lumas: Sequence[np.ndarray]) -> float:
    """Return the median of the temporal deviation of all pixels."""
    small = [
        cv2.resize(luma, (64, 48), interpolation=cv2.INTER_AREA)
        for luma in lumas
    ]
    return float(np.median(np.std(np.stack(small).astype(np.float32), 0)))


def _gradient(luma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # The weights of the kernel sum to 8 for a step of two pixels.
    return (
        cv2.Sobel(luma, cv2.CV_32F, 1, 0) / 8,
        cv2.Sobel(luma, cv2.CV_32F, 0, 1) / 8,
    )


def _lasting_edges(lumas: Sequence[np.ndarray]) -> np.ndarray:
    """Return the share of frames that have the mean edge of a pixel."""
    mean_x = mean_y = np.zeros(lumas[0].shape, np.float32)
    for luma in lumas:
        x, y = _gradient(luma)
        mean_x, mean_y = mean_x + x, mean_y + y
    length = np.hypot(mean_x, mean_y) + 1e-6
    mean_x, mean_y = mean_x / length, mean_y / length
    share = np.zeros(lumas[0].shape, np.float32)
    for luma in lumas:
        x, y = _gradient(luma)
        share += x * mean_x + y * mean_y > _EDGE
    return share / len(lumas)


def _padded(box: Sequence[int], width: int, height: int, pad: int = 4) -> Box:
    x, y, w, h = map(int, box)
    left, top = max(0, x - pad), max(0, y - pad)
    right, bottom = min(width, x + w + pad), min(height, y + h + pad)
    return left, top, right - left, bottom - top


def _merged(boxes: Iterable[Box]) -> list[Box]:
    """Join the boxes that overlap."""
    boxes = list(boxes)
    joined = True
    while joined:
        joined = False
        for i, one in enumerate(boxes):
            for j in range(i + 1, len(boxes)):
                other = boxes[j]
                if _overlap(one, other):
                    boxes[i] = _union(one, other)
                    del boxes[j]
                    joined = True
                    break
            if joined:
                break
    return sorted(boxes, key=lambda box: (box[1], box[0]))


def _overlap(one: Box, other: Box) -> bool:
    return all(
        one[k] < other[k] + other[k + 2] and other[k] < one[k] + one[k + 2]
        for k in (0, 1)
    )


def _union(one: Box, other: Box) -> Box:
    left, top = min(one[0], other[0]), min(one[1], other[1])
    right = max(one[0] + one[2], other[0] + other[2])
    bottom = max(one[1] + one[3], other[1] + other[3])
    return left, top, right - left, bottom - top


def largest_free_box(
    width: int,
    height: int,
    boxes: Iterable[Box],
    step: int = 4,
    aspect: float | None = None,
) -> Box:
    """Find the largest rectangle that touches none of the boxes.

    Args:
        width: Width of the picture in pixels.
        height: Height.
        boxes: Parts ``(x, y, w, h)`` to avoid; they may extend beyond the
            picture.
        step: Common divisor of the sides and of the corner.
        aspect: Width divided by height of the part that will be cropped from
            the rectangle; the rectangle is chosen so that this part is as
            large as possible.

    Returns:
        ``(x, y, w, h)``; w = h = 0 if there is none.
    """
    columns, rows = width // step, height // step
    free = np.ones((rows, columns), bool)
    for x, y, w, h in boxes:
        top, bottom = max(0, y // step), -(-(y + h) // step)
        left, right = max(0, x // step), -(-(x + w) // step)
        free[top : max(0, bottom), left : max(0, right)] = False
    best, found = 0.0, (0, 0, 0, 0)
    depth = np.zeros(columns, int)  # free cells up from this row
    for row in range(rows):
        depth = (depth + 1) * free[row]
        for left, right, tall in _maximal(depth):
            wide = right - left
            size: float = wide * tall
            if aspect:
                size = min(wide, tall * aspect) * min(tall, wide / aspect)
            if size > best:
                best = size
                found = left, row + 1 - tall, wide, tall
    x, y, w, h = (int(value) * step for value in found)
    return x, y, w, h


def _maximal(heights: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Yield the widest rectangle of each height in a histogram."""
    stack: list[tuple[int, int]] = []  # start and height, rising
    for i, height in enumerate([*heights.tolist(), 0]):
        start = i
        while stack and stack[-1][1] > height:
            start, tall = stack.pop()
            yield start, i, tall
        if height and (not stack or stack[-1][1] < height):
            stack.append((start, height))
