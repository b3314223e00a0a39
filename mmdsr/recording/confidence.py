"""Where in the picture of a frame its detail was seen in a reference."""

import cv2
import numpy as np

from mmdsr.recording.layout import back_mask, inset_place, text_mask
from mmdsr.recording.neighbors import Moment
from mmdsr.recording.painter import Painted, Painter

#: From this weight on a pixel of two blended pictures counts as one's.
_HALF = 0.5


def shown_confidence(
    painter: Painter, moment: Moment, painted: Painted
) -> tuple[np.ndarray | None, np.ndarray]:
    """Lay the confidence of a frame out as its picture is.

    Args:
        painter: Painter of the picture.
        moment: The frame.
        painted: Its picture (H, W, 3).

    Returns:
        The confidence of each pixel of the picture (H, W), float32 in [0, 1],
        0 where there is none; ``None`` without a reference. And which pixels
        the network made (H, W), bool: the others are interpolated.
    """
    height, width = painted.picture.shape[:2]
    if painter.look.side_by_side:
        width //= 2
    box = painter.box(moment.picture, moment.time)
    scale = painter.look.scale
    made = np.ones((box[3] * scale, box[2] * scale), bool)
    for text in painter.look.texts:
        mask = text_mask(made.shape, text, box, scale)
        made &= mask < _HALF
    rows, columns = slice(0, height), slice(0, width)
    if painter.track is not None and painter.look.show == 'back':
        mask = back_mask(made.shape, box, moment.picture.shape, scale)
        made &= mask >= _HALF
        left, top = round(box[0] * scale), round(box[1] * scale)
        rows = slice(top, top + made.shape[0])
        columns = slice(left, left + made.shape[1])
    elif painter.track is not None and painter.look.show == 'inset':
        left, top, w, h = inset_place(
            painter.track, moment.picture.shape, (height, width), made.shape
        )
        made = made[:h, :w]
        rows, columns = slice(top, top + h), slice(left, left + w)
    whole = np.zeros(painted.picture.shape[:2], bool)
    # Side by side it is at the right.
    right = whole[:, -width:]
    right[rows, columns] = made
    if painted.confidence is None:
        return None, whole
    found = _cut(painter, moment, painted.confidence)
    share = np.zeros(whole.shape, np.float32)
    part = share[:, -width:][rows, columns]
    part[:] = np.where(made, found[: made.shape[0], : made.shape[1]], 0)
    return share, whole


def _cut(
    painter: Painter, moment: Moment, confidence: np.ndarray
) -> np.ndarray:
    """Cut the region out of the confidence, as large as it is shown."""
    factor, scale = painter.resolver.scale, painter.look.scale
    height, width = confidence.shape
    large = cv2.resize(
        confidence.astype(np.float32, copy=False),
        (width * factor, height * factor),
        interpolation=cv2.INTER_LINEAR,
    )
    part = painter.cut(large, moment)
    return cv2.resize(
        part,
        (part.shape[1] * scale // factor, part.shape[0] * scale // factor),
        interpolation=cv2.INTER_AREA,
    )
