"""PSNR and SSIM by the protocol of MASA-SR, as pure functions.

Predictions are rounded to uint8, no border is cropped. ``mode='Y'`` compares
the luma of BT.601 in its 16 to 235 range (not rounded again), ``'RGB'`` the
three channels.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

MODES = ('Y', 'RGB')

# BT.601, studio range: 65.481 + 128.553 + 24.966 = 219 = 235 - 16.
_LUMA: NDArray[np.float64] = np.array([65.481, 128.553, 24.966]) / 255
_LUMA_OFFSET = 16

_WINDOW = 11
_SIGMA = 1.5
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2

#: Images that are closer count as equal, and equal ones as this close (dB), so
#: that the mean over a set with a black frame is finite.
MAX_PSNR = 100.0


def to_uint8(image: np.ndarray) -> NDArray[np.uint8]:
    """Round an image to uint8.

    Args:
        image: Any shape, values in [0, 255]; others are clipped.

    Returns:
        The image in uint8.

    Raises:
        ValueError: If the image contains NaN.
    """
    image = np.asarray(image)
    if image.dtype == np.uint8:
        return image
    if np.isnan(image).any():
        raise ValueError('The image contains NaN.')
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8)


def to_y(image: np.ndarray) -> NDArray[np.float64]:
    """Return the luma of an RGB image.

    Args:
        image: ``(H, W, 3)`` RGB in [0, 255].

    Returns:
        ``(H, W)`` float64 in [16, 235], BT.601.

    Examples:
        >>> import numpy as np
        >>> from mmdsr.evaluation.functional import to_y
        >>> to_y(np.array([[[0, 0, 0], [255, 255, 255]]])).round(6).tolist()
        [[16.0, 235.0]]
    """
    return np.asarray(image, dtype=np.float64) @ _LUMA + _LUMA_OFFSET


def psnr(sr: np.ndarray, hr: np.ndarray, mode: str = 'Y') -> float:
    """Return the peak signal-to-noise ratio.

    Args:
        sr: Prediction, ``(H, W, 3)`` RGB in [0, 255].
        hr: Truth, of the same shape.
        mode: ``'Y'`` or ``'RGB'``.

    Returns:
        PSNR in dB for a peak of 255, at most :data:`MAX_PSNR`.

    Raises:
        ValueError: If the shapes differ or the mode is unknown.

    Examples:
        >>> import numpy as np
        >>> from mmdsr.evaluation.functional import psnr
        >>> hr = np.full((16, 16, 3), 100, np.uint8)
        >>> psnr(hr, hr)
        100.0
        >>> round(psnr(hr + 1, hr, mode='RGB'), 2)
        48.13

        Luma has the smaller range 16 to 235, hence the smaller error:

        >>> round(psnr(hr + 1, hr, mode='Y'), 2)
        49.45
    """
    sr, hr = _channels(sr, hr, mode)
    error = np.mean((sr - hr) ** 2)
    if not error:
        return MAX_PSNR
    return min(float(10 * np.log10(255**2 / error)), MAX_PSNR)


def ssim(sr: np.ndarray, hr: np.ndarray, mode: str = 'Y') -> float:
    """Structural similarity with an 11x11 Gaussian window of sigma 1.5.

    The mean is over the pixels whose window lies inside the image, and over
    the channels.

    Args:
        sr: Prediction, ``(H, W, 3)`` RGB in [0, 255].
        hr: Truth, of the same shape.
        mode: ``'Y'`` or ``'RGB'``.

    Returns:
        SSIM in [-1, 1]; 1 if the images are equal.

    Raises:
        ValueError: If the shapes differ, a side is shorter than 11, or the
            mode is unknown.
    """
    sr, hr = _channels(sr, hr, mode)
    if min(sr.shape[:2]) < _WINDOW:
        raise ValueError(
            f'SSIM needs at least {_WINDOW}x{_WINDOW} pixels, not '
            f'{sr.shape[1]}x{sr.shape[0]}.'
        )
    mean_s, mean_h = _blur(sr), _blur(hr)
    var_s = _blur(sr * sr) - mean_s**2
    var_h = _blur(hr * hr) - mean_h**2
    cov = _blur(sr * hr) - mean_s * mean_h
    luminance = (2 * mean_s * mean_h + _C1) / (mean_s**2 + mean_h**2 + _C1)
    structure = (2 * cov + _C2) / (var_s + var_h + _C2)
    return float(np.mean(luminance * structure))


def upscale(image: NDArray[np.uint8], scale: int = 4) -> NDArray[np.uint8]:
    """Enlarge an image with Pillow's bicubic filter, the baseline.

    Args:
        image: ``(h, w, 3)`` uint8.
        scale: Factor of the enlargement.

    Returns:
        ``(h * scale, w * scale, 3)`` uint8.
    """
    height, width = image.shape[:2]
    size = (width * scale, height * scale)
    large = Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(large)


def _channels(
    sr: np.ndarray, hr: np.ndarray, mode: str
) -> list[NDArray[np.float64]]:
    """Check and round both images; return them as ``(H, W, C)`` float64."""
    if mode not in MODES:
        raise ValueError(f'mode must be one of {MODES}, not {mode!r}.')
    pair = [to_uint8(sr), to_uint8(hr)]
    if pair[0].shape != pair[1].shape:
        raise ValueError(
            f'The images differ in shape: {pair[0].shape}, {pair[1].shape}.'
        )
    if pair[0].ndim != 3 or pair[0].shape[2] != 3:
        raise ValueError(f'The images must be RGB, not {pair[0].shape}.')
    if mode == 'Y':
        return [to_y(image)[..., None] for image in pair]
    return [image.astype(np.float64) for image in pair]


def _blur(image: np.ndarray) -> np.ndarray:
    kernel = cv2.getGaussianKernel(_WINDOW, _SIGMA)
    border = _WINDOW // 2
    blurred = cv2.sepFilter2D(image, -1, kernel, kernel)
    return blurred[border:-border, border:-border]
