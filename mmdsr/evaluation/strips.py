"""Comparison strips: the images of a sample side by side."""

import cv2
import numpy as np

from mmdsr.evaluation.functional import psnr, to_uint8, upscale
from mmdsr.io.depth_colors import color_nearness

_GAP = 4
_BAND = 18
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def make_strip(
    lr: np.ndarray,
    ref: np.ndarray | None,
    sr: np.ndarray,
    hr: np.ndarray | None = None,
    depth: np.ndarray | None = None,
    captions: bool = True,
    depth_true: np.ndarray | None = None,
) -> np.ndarray:
    """Put LR, bicubic, Ref, SR, HR and depth side by side.

    Args:
        lr: ``(h, w, 3)`` RGB in [0, 255]; shown enlarged without
            interpolation, and with bicubic interpolation.
        ref: ``(Hr, Wr, 3)`` RGB in [0, 255], any size; fitted to the height of
            ``sr``. Left out if None.
        sr: ``(H, W, 3)`` RGB in [0, 255], an integer multiple of ``lr``.
        hr: The truth, of the size of ``sr``. The captions of bicubic and
            SR then include their PSNR-Y.
        depth: Normalized inverse depth in [0, 1], ``(h, w)`` or ``(h, w, 1)``;
            near is bright, NaN is gray.
        captions: Whether to write a line above each image.
        depth_true: True depth to show next to ``depth``.

    Returns:
        ``(H', W', 3)`` uint8 RGB.

    Raises:
        ValueError: If the sizes of ``lr``, ``sr`` and ``hr`` do not agree.
    """
    lr, sr = to_uint8(lr), to_uint8(sr)
    scale = sr.shape[0] // lr.shape[0]
    if sr.shape[:2] != (lr.shape[0] * scale, lr.shape[1] * scale):
        raise ValueError(
            f'sr must be an integer multiple of lr {lr.shape[:2]}, not '
            f'{sr.shape[:2]}.'
        )
    if hr is not None and hr.shape != sr.shape:
        raise ValueError(
            f'hr must have the shape of sr {sr.shape}, not {hr.shape}.'
        )
    height, width = sr.shape[:2]
    bicubic = upscale(lr, scale)
    panels: list[tuple[str, np.ndarray]] = [
        ('LR', lr.repeat(scale, 0).repeat(scale, 1)),
        (_scored('Bicubic', bicubic, hr), bicubic),
    ]
    if ref is not None:
        panels.append(('Ref', _fit(to_uint8(ref), height)))
    panels.append((_scored('SR', sr, hr), sr))
    if hr is not None:
        panels.append(('HR', to_uint8(hr)))
    for caption, values in (('Depth', depth), ('True depth', depth_true)):
        if values is not None:
            picture = color_nearness(values)
            size = (width, height)
            picture = cv2.resize(
                picture, size, interpolation=cv2.INTER_NEAREST
            )
            panels.append((caption, picture))
    band = _BAND if captions else 0
    total = sum(image.shape[1] for _, image in panels)
    total += _GAP * (len(panels) - 1)
    strip = np.full((height + band, total, 3), 255, np.uint8)
    left = 0
    for caption, image in panels:
        right = left + image.shape[1]
        strip[band:, left:right] = image
        if captions:
            _write(strip[:band, left:right], caption)
        left = right + _GAP
    return strip


def _scored(caption: str, image: np.ndarray, hr: np.ndarray | None) -> str:
    if hr is None:
        return caption
    return f'{caption} {psnr(image, hr):.2f} dB'


def _fit(image: np.ndarray, height: int) -> np.ndarray:
    width = max(1, round(image.shape[1] * height / image.shape[0]))
    if image.shape[:2] == (height, width):
        return image
    if height > image.shape[0]:
        return _stretch(image, (width, height))
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _stretch(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(image, size, interpolation=cv2.INTER_NEAREST)


def _write(band: np.ndarray, text: str) -> None:
    """Write a line into a white band, as large as fits."""
    size = 0.5
    (width, _), _ = cv2.getTextSize(text, _FONT, size, 1)
    size = min(size, size * (band.shape[1] - 4) / width)
    # OpenCV draws into contiguous memory only.
    canvas = np.ascontiguousarray(band)
    cv2.putText(canvas, text, (2, 13), _FONT, size, (0, 0, 0), 1, cv2.LINE_AA)
    band[:] = canvas
