"""The confidence picture: what was seen in a reference, what is inferred.

Blue and orange can be distinguished with any common color vision; a white line
outlines what was seen, for people who see no colors at all.
"""

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmdsr.evidence.record import SEEN, Kind

#: Colors of Okabe and Ito's palette, RGB.
SEEN_COLOR = (0, 114, 178)
INFERRED_COLOR = (230, 159, 0)
#: Weight of the picture under its color.
_THROUGH = 0.5
_GAP, _TEXT, _BAR = 8, 16, 18
_LEAST_WIDTH = 420


def draw_confidence(
    image: np.ndarray,
    confidence: np.ndarray | None,
    kind: Kind | None,
    reference: str,
    made: np.ndarray | None = None,
    seen: float | None = None,
) -> np.ndarray:
    """Color a result by where its detail comes from, with a legend below.

    Args:
        image: The result (H, W, 3) or (H, W, 4), RGB or RGBA, uint8.
        confidence: Confidence in the reference (h, w), float in [0, 1],
            enlarged bilinearly; ``None`` without a reference.
        kind: Kind of the confidence; ``None`` if the network has none.
        reference: Name of the reference, or the reason why there is none.
        made: Which pixels (H, W), bool, a network made; the others are
            interpolated and stay gray. Defaults to None, all.
        seen: Share that is given in the legend. Defaults to None, that of
            ``confidence``.

    Returns:
        (H + legend, max(W, 420), 3) uint8 RGB.
    """
    height, width = image.shape[:2]
    share = np.zeros((1, 1), np.float32)
    if confidence is not None:
        share = np.asarray(confidence, np.float32)
    large = cv2.resize(share, (width, height), interpolation=cv2.INTER_LINEAR)
    rgb = np.ascontiguousarray(image[..., :3])
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    full = 1.0 if kind == 'score' else 2 * SEEN
    levels = np.rint((large / full).clip(0, 1) * 255).astype(np.uint8)
    plain = cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB)
    picture = cv2.addWeighted(
        plain,
        _THROUGH,
        cv2.LUT(cv2.merge([levels] * 3), _table()),
        1 - _THROUGH,
        0,
    )
    mask = large >= SEEN
    if made is not None:
        picture[~made] = plain[~made]
        mask &= made
    if confidence is not None and kind == 'score':
        ends = 'unlike the reference', 'like the reference'
        said = 'it is not known what was taken from the reference'
    else:
        ends = 'inferred', 'seen in the reference'
        lines, _ = cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(picture, lines, -1, (255, 255, 255), 1)
        if seen is None:
            seen = float((share >= SEEN).mean())
        said = f'{seen:.0%} seen'
    if made is not None and not made.all():
        said += '; gray is interpolated'
    # A name may have line breaks.
    text = ' '.join(f'{said}; reference: {reference}'.split())
    legend = _legend(max(width, _LEAST_WIDTH), ends, text)
    canvas = np.zeros((height + len(legend), legend.shape[1], 3), np.uint8)
    canvas[:height, :width] = picture
    canvas[height:] = legend
    return canvas


def _table() -> np.ndarray:
    """Color of each level (256, 1, 3), from inferred to seen."""
    share = np.linspace(0, 1, 256)[:, None]
    colors = (1 - share) * INFERRED_COLOR + share * SEEN_COLOR
    return np.rint(colors).astype(np.uint8)[:, None]


def _legend(width: int, ends: tuple[str, str], text: str) -> np.ndarray:
    """Draw the color scale and its meaning."""
    rows = 4 * _GAP + _BAR + 2 * _TEXT
    legend = np.zeros((rows, width, 3), np.uint8)
    bar = cv2.resize(_table().transpose(1, 0, 2), (width - 2 * _GAP, _BAR))
    legend[_GAP : _GAP + _BAR, _GAP : width - _GAP] = bar
    picture = Image.fromarray(legend)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(_TEXT - 3)
    below, (left, right) = 2 * _GAP + _BAR, ends
    draw.text((_GAP, below), left, fill='white', font=font)
    start = width - _GAP - draw.textlength(right, font=font)
    draw.text((start, below), right, fill='white', font=font)
    while draw.textlength(text, font=font) > width - 2 * _GAP:
        text = f'{text.removesuffix("...")[:-1]}...'
    draw.text((_GAP, below + _TEXT + _GAP), text, fill='white', font=font)
    return np.asarray(picture)
