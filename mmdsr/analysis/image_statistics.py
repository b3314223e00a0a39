"""Statistics for comparing the look of images, as pure functions.

Everything is measured on uint8 RGB images. Luminance is the luma of BT.601 in
its full range, 0 to 255. Frequencies are in cycles per pixel. Those above
:data:`HIGH_BAND` are lost when an image is reduced by 4; super-resolution has
to restore them.
"""

from typing import Any

import cv2
import numpy as np

from mmdsr.evaluation.functional import psnr, to_y, upscale
from mmdsr.io.images import downscale

MIN_SIDE = 64
BLACK, BLOWN = 8, 250
BLOB = 32
SLOPE_BAND = (0.02, 0.35)
HIGH_BAND = 0.125
HISTOGRAM_BINS = 64
SPECTRUM_BINS = 40

STATISTICS = {
    'lum_mean': 'luminance, mean',
    'lum_std': 'luminance, standard deviation',
    'lum_p5': 'luminance, 5th percentile',
    'lum_p50': 'luminance, median',
    'lum_p95': 'luminance, 95th percentile',
    'black': f'pixels below {BLACK}, %',
    'blown': f'pixels above {BLOWN}, %',
    'dark_spot': f'darkest {BLOB}x{BLOB} spot / mean',
    'saturation': 'saturation, mean',
    'warmth': 'red / blue',
    'grad_mean': 'gradient, mean',
    'grad_p95': 'gradient, 95th percentile',
    'slope': 'spectral slope',
    'high_share': f'power above {HIGH_BAND} c/px, %',
    'psnr_y': 'x4 bicubic PSNR-Y, dB',
}
"""Names and titles of the scalar statistics, see :func:`measure`."""

# Bins of equal width in log frequency, from a period of 100 pixels to the
# highest frequency of the rows and columns.
_EDGES = np.geomspace(0.01, 0.5, SPECTRUM_BINS + 1)
SPECTRUM_FREQUENCIES = np.sqrt(_EDGES[:-1] * _EDGES[1:])
"""Centers of the bins of :func:`radial_spectrum`, cycles per pixel."""


def luminance(image: np.ndarray) -> np.ndarray:
    """Return the luminance of an image.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.

    Returns:
        ``(H, W)`` float64 in [0, 255].
    """
    return np.clip((to_y(image) - 16) * (255 / 219), 0, 255)


def luminance_histogram(lum: np.ndarray) -> np.ndarray:
    """Return the shares of the pixels over 64 equal bins of luminance.

    Args:
        lum: ``(H, W)`` luminance in [0, 255].

    Returns:
        ``(64,)``, sums to 1.
    """
    counts, _ = np.histogram(lum, HISTOGRAM_BINS, (0, 255))
    return counts / lum.size


def gradient_magnitude(lum: np.ndarray) -> np.ndarray:
    """Return the length of the gradient by central differences.

    Args:
        lum: ``(H, W)`` luminance.

    Returns:
        ``(H - 2, W - 2)``, luminance steps per pixel.
    """
    across = lum[1:-1, 2:] - lum[1:-1, :-2]
    down = lum[2:, 1:-1] - lum[:-2, 1:-1]
    return np.hypot(across, down) / 2


def _power(lum: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the power of each frequency of an image, and the frequencies."""
    height, width = lum.shape
    # The window removes the jump between opposite borders, which would add
    # high frequencies that are not in the image.
    window = np.outer(np.hanning(height), np.hanning(width))
    mean = np.average(lum, weights=window)
    power = np.abs(np.fft.rfft2((lum - mean) * window)) ** 2
    power = power / (window**2).sum()
    # rfft2 omits the mirror images of all but two columns.
    weight = np.full(power.shape[1], 2.0)
    weight[0] = 1
    if width % 2 == 0:
        weight[-1] = 1
    frequency = np.hypot(
        np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    )
    return power, frequency, np.broadcast_to(weight, power.shape)


def radial_spectrum(lum: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the power spectrum, averaged over rings of equal frequency.

    Args:
        lum: ``(H, W)`` luminance in [0, 255].

    Returns:
        ``(40,)`` mean power per frequency at :data:`SPECTRUM_FREQUENCIES`, NaN
        for frequencies that a small image lacks; and the share of the power
        (except for the mean) that lies above :data:`HIGH_BAND`, 0 for a flat
        image.
    """
    power, frequency, weight = _power(lum)
    ring = np.digitize(frequency, _EDGES) - 1
    inside = (ring >= 0) & (ring < SPECTRUM_BINS)
    kinds = ring[inside]
    weights = weight[inside]
    sums = np.bincount(kinds, power[inside] * weights, SPECTRUM_BINS)
    counts = np.bincount(kinds, weights, SPECTRUM_BINS)
    with np.errstate(invalid='ignore', divide='ignore'):
        spectrum = sums / counts
    total = (power * weight)[frequency > 0].sum()
    high = (power * weight)[frequency > HIGH_BAND].sum()
    # Due to rounding, a flat image has a power of about 1e-20.
    return spectrum, float(high / total) if total > 1e-9 else 0.0


def spectral_slope(spectrum: np.ndarray) -> float:
    """Fit a line to the logarithm of the spectrum over that of frequency.

    Args:
        spectrum: ``(40,)``, see :func:`radial_spectrum`.

    Returns:
        The exponent of the frequency between 0.02 and 0.35 cycles per pixel,
        equally weighted over the logarithm: about -2 for natural images, 0 for
        white noise, NaN for a flat image.
    """
    first, last = np.searchsorted(SPECTRUM_FREQUENCIES, SLOPE_BAND)
    use = np.nan_to_num(spectrum) > 0
    use[:first] = use[last:] = False
    if use.sum() < 2 or np.nanmax(spectrum[use]) < 1e-9:
        return float('nan')
    x, y = np.log(SPECTRUM_FREQUENCIES[use]), np.log(spectrum[use])
    return float(np.polyfit(x, y, 1)[0])


def darkest_spot(lum: np.ndarray) -> float:
    """Return the mean of the darkest 32x32 window over that of the image.

    In a sewer, this is the far end of the pipe if the light does not reach it.

    Args:
        lum: ``(H, W)`` luminance.

    Returns:
        In [0, 1], 1 for a black image.
    """
    blurred = cv2.blur(lum, (BLOB, BLOB))
    half = BLOB // 2
    inside = blurred[half : 1 - half, half : 1 - half]
    mean = lum.mean()
    return float(inside.min() / mean) if mean else 1.0


def color(image: np.ndarray) -> tuple[float, float]:
    """Return how saturated and how warm an image is.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.

    Returns:
        Mean of (max - min) / max of the channels over the pixels of at least
        16, where noise does not dominate; and the mean of red over that of
        blue (above 1 is warm).
    """
    channels = image.astype(np.float64)
    top = channels.max(axis=2)
    spread = top - channels.min(axis=2)
    bright = top >= 16
    saturation = spread[bright] / top[bright]
    red, blue = channels[..., 0].mean(), channels[..., 2].mean()
    return (
        float(saturation.mean()) if bright.any() else 0.0,
        float((red + 1) / (blue + 1)),
    )


def bicubic_psnr(image: np.ndarray, scale: int = 4) -> float:
    """Return the PSNR of an image after reduction and enlargement.

    Args:
        image: ``(H, W, 3)`` uint8 RGB. Rows and columns beyond a multiple of
            the scale are cropped.
        scale: Factor.

    Returns:
        PSNR of the luma in dB, at most 100 (equal images).
    """
    height, width = (side // scale * scale for side in image.shape[:2])
    image = np.ascontiguousarray(image[:height, :width])
    return psnr(upscale(downscale(image, scale), scale), image)


def measure(image: np.ndarray) -> dict[str, Any]:
    """Measure an image.

    Args:
        image: ``(H, W, 3)`` uint8 RGB, sides of at least 64.

    Returns:
        A float for each name in :data:`STATISTICS`, ``'histogram'`` ``(64,)``
        and ``'spectrum'`` ``(40,)``.

    Raises:
        ValueError: If the image has another form.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f'An image must be (H, W, 3) uint8, not {image.shape} '
            f'{image.dtype}.'
        )
    if min(image.shape[:2]) < MIN_SIDE:
        raise ValueError(
            f'An image must be at least {MIN_SIDE}x{MIN_SIDE}, not '
            f'{image.shape[1]}x{image.shape[0]}.'
        )
    lum = luminance(image)
    gradient = gradient_magnitude(lum)
    spectrum, high_share = radial_spectrum(lum)
    saturation, warmth = color(image)
    p5, p50, p95 = np.percentile(lum, (5, 50, 95)).tolist()
    return dict(
        lum_mean=float(lum.mean()),
        lum_std=float(lum.std()),
        lum_p5=p5,
        lum_p50=p50,
        lum_p95=p95,
        black=100 * float((lum < BLACK).mean()),
        blown=100 * float((lum > BLOWN).mean()),
        dark_spot=darkest_spot(lum),
        saturation=saturation,
        warmth=warmth,
        grad_mean=float(gradient.mean()),
        grad_p95=float(np.percentile(gradient, 95)),
        slope=spectral_slope(spectrum),
        high_share=100 * high_share,
        psnr_y=bicubic_psnr(image),
        histogram=luminance_histogram(lum),
        spectrum=spectrum,
    )
