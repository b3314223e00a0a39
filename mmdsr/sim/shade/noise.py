"""Periodic noise fields and stamped marks, the raw matter of wall textures.

All arrays are ``(circumference, axis)`` = ``(rows, columns)`` and wrap
around on both sides, so that they tile.
"""

import cv2
import numpy as np


def spectral_noise(
    rng: np.random.Generator,
    shape: tuple[int, int],
    wavelength: tuple[float, float],
    exponent: float = 1.0,
    stretch: float = 1.0,
) -> np.ndarray:
    """Return periodic Gaussian noise with a power-law spectrum.

    Args:
        rng: Source of randomness.
        shape: Rows and columns.
        wavelength: Shortest and longest wavelength kept, in pixels.
        exponent: Amplitude falls as ``frequency ** -exponent``; 0 is white
            inside the band.
        stretch: Marks are longer along the rows' direction (around the
            pipe) by this factor; below 1 they are longer along the axis.

    Returns:
        Float32 field of zero mean and unit variance.
    """
    rows, cols = shape
    fy = np.fft.fftfreq(rows).astype(np.float32)[:, None] * np.sqrt(stretch)
    fx = np.fft.rfftfreq(cols).astype(np.float32)[None] / np.sqrt(stretch)
    freq = np.sqrt(fy * fy + fx * fx)
    low, high = 1 / wavelength[1], 1 / wavelength[0]
    # Soft band limits: hard ones ring.
    band = np.exp(-((freq / high) ** 4)) * -np.expm1(-((freq / low) ** 4))
    amplitude = band * np.maximum(freq, low / 4) ** -exponent
    amplitude[0, 0] = 0
    white = rng.standard_normal((rows, cols), dtype=np.float32)
    spectrum = cv2.dft(white, flags=cv2.DFT_COMPLEX_OUTPUT)
    half = spectrum[:, : cols // 2 + 1] * amplitude[..., None]
    full: np.ndarray = np.zeros_like(spectrum)
    full[:, : cols // 2 + 1] = half
    # The conjugate half of the spectrum is not needed: twice the real part of
    # the one-sided sum is the same field.
    full[:, 1 : (cols + 1) // 2] *= 2
    field: np.ndarray = cv2.dft(full, flags=cv2.DFT_INVERSE)[..., 0]
    field -= field.mean()
    return (field / max(float(field.std()), 1e-12)).astype(np.float32)


def line_noise(
    rng: np.random.Generator,
    length: int,
    wavelength: tuple[float, float],
    exponent: float = 0.5,
) -> np.ndarray:
    """One-dimensional `spectral_noise` of ``length`` samples."""
    freq = np.fft.rfftfreq(length)
    low, high = 1 / wavelength[1], 1 / wavelength[0]
    band = np.exp(-((freq / high) ** 4)) * -np.expm1(-((freq / low) ** 4))
    amplitude = band * np.maximum(freq, low / 4) ** -exponent
    spectrum = np.fft.rfft(rng.standard_normal(length)) * amplitude
    field = np.fft.irfft(spectrum, length)
    return (field / max(field.std(), 1e-12)).astype(np.float32)


def wrap_blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of a periodic image, sigma in pixels."""
    pad = min(int(np.ceil(3 * sigma)), *image.shape[:2])
    padded = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_WRAP)
    blurred = cv2.GaussianBlur(padded, (0, 0), sigma)
    return blurred[pad:-pad, pad:-pad]


def slopes(height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the forward differences of a periodic height field.

    Args:
        height: Field ``(rows, columns)`` in pixels of height.

    Returns:
        Slope along the axis (columns) and around the pipe (rows).
    """
    along = np.roll(height, -1, axis=1) - height
    around = np.roll(height, -1, axis=0) - height
    return along, around


def stamp_discs(
    rng: np.random.Generator,
    shape: tuple[int, int],
    count: int,
    radius: tuple[float, float],
    flatness: float = 0.35,
) -> np.ndarray:
    """Antialiased ellipses at random places, wrapped around the edges.

    Args:
        rng: Source of randomness.
        shape: Rows and columns.
        count: How many marks.
        radius: Smallest and largest radius in pixels (small ones are more
            common).
        flatness: Largest relative difference of the two half axes.

    Returns:
        Float32 coverage times a random strength, in [0, 1].
    """
    rows, cols = shape
    pad = int(np.ceil(2 * radius[1])) + 2
    canvas = np.zeros((rows + 2 * pad, cols + 2 * pad), np.uint8)
    xy = rng.random((count, 2)) * (cols, rows)
    size = radius[0] * (radius[1] / radius[0]) ** (rng.random(count) ** 3)
    ratio = 1 + flatness * rng.uniform(-1, 1, count)
    angle = rng.uniform(0, 180, count)
    strength = rng.integers(90, 256, count)
    # cv2.ellipse takes sixteenths of a pixel.
    centers = np.round((xy + pad) * 16).astype(int).tolist()
    axes = np.stack([size * ratio, size / ratio], 1)
    axes = np.round(axes * 16).astype(int).tolist()
    for center, half, turn, value in zip(
        centers, axes, angle.tolist(), strength.tolist(), strict=True
    ):
        cv2.ellipse(
            canvas,
            center,
            half,
            turn,
            0,
            360,
            value,
            cv2.FILLED,
            cv2.LINE_AA,
            4,
        )
    # Wrap what extends beyond an edge around to the opposite side.
    canvas[pad : 2 * pad] = np.maximum(
        canvas[pad : 2 * pad], canvas[rows + pad :]
    )
    canvas[rows : rows + pad] = np.maximum(
        canvas[rows : rows + pad], canvas[:pad]
    )
    canvas[:, pad : 2 * pad] = np.maximum(
        canvas[:, pad : 2 * pad], canvas[:, cols + pad :]
    )
    canvas[:, cols : cols + pad] = np.maximum(
        canvas[:, cols : cols + pad], canvas[:, :pad]
    )
    return canvas[pad : pad + rows, pad : pad + cols] / np.float32(255)


def stamp_walks(
    rng: np.random.Generator,
    shape: tuple[int, int],
    count: int,
    steps: tuple[int, int],
    stride: float,
    heading: float,
    spread: float,
    bend: float,
) -> np.ndarray:
    """Random polylines (cracks, scratches), one pixel wide, wrapped.

    Args:
        rng: Source of randomness.
        shape: Rows and columns.
        count: How many lines.
        steps: Fewest and most segments of a line.
        stride: Length of a segment in pixels.
        heading: Mean direction in radians, 0 along the axis.
        spread: Standard deviation of a line's first direction.
        bend: Standard deviation of the turn from segment to segment.

    Returns:
        uint8 mask, 255 on the lines.
    """
    rows, cols = shape
    canvas = np.zeros(shape, np.uint8)
    for _ in range(count):
        n = int(rng.integers(steps[0], steps[1] + 1))
        turn = rng.normal(0, bend, n)
        # Directions are pulled back to the first one, so that a line does not
        # curl up.
        angle = heading + rng.normal(0, spread) + turn
        move = stride * np.stack([np.cos(angle), np.sin(angle)], 1)
        start = rng.random(2) * (cols, rows)
        path = np.concatenate([start[None], start + np.cumsum(move, 0)])
        for shift_x in (-cols, 0, cols):
            for shift_y in (-rows, 0, rows):
                points = np.round(path + np.array([shift_x, shift_y])).astype(
                    np.int32
                )
                cv2.polylines(canvas, [points[:, None]], False, (255,), 1)
    return canvas


def wrap_distance(mask: np.ndarray, pad: int) -> np.ndarray:
    """Euclidean distance to the nearest set pixel of a periodic mask.

    Args:
        mask: uint8 mask; non-zero is set. May be empty.
        pad: Distances up to this many pixels are right across the edges;
            larger ones are clipped to it.

    Returns:
        Float32 distance in pixels, in [0, pad].
    """
    if not mask.any():
        return np.full(mask.shape, pad, np.float32)
    pad_y, pad_x = (min(pad, side) for side in mask.shape)
    padded = cv2.copyMakeBorder(
        mask, pad_y, pad_y, pad_x, pad_x, cv2.BORDER_WRAP
    )
    inverse = np.where(padded > 0, 0, 255).astype(np.uint8)
    distance = cv2.distanceTransform(inverse, cv2.DIST_L2, 5)
    rows, cols = mask.shape
    return np.minimum(
        distance[pad_y : pad_y + rows, pad_x : pad_x + cols], pad
    )
