"""From linear light to the bytes of a frame: lens, exposure, compression."""

import cv2
import numpy as np

from mmdsr.sim.scene import Scene


def develop(light: np.ndarray, gain: float, shoulder: float) -> np.ndarray:
    """Exposure, highlight compression and display gamma.

    Args:
        light: Linear RGB, any scale.
        gain: Exposure.
        shoulder: 0 clips at white; above, highlights are compressed, white
            staying white.

    Returns:
        Display values, float32; 1 is white and may be exceeded.
    """
    value = light * np.float32(gain)
    value *= np.float32(1 + shoulder) / (1 + np.float32(shoulder) * value)
    return cv2.pow(value, 1 / 2.2, value)


def meter(light: np.ndarray, target: float, shoulder: float) -> float:
    """Gain that brings the 85th percentile of luminance to a display value.

    Args:
        light: Linear RGB.
        target: Display value in (0, 1).
        shoulder: As in `develop`.

    Returns:
        The gain.
    """
    level = float(np.percentile(light[..., 1], 85))
    wanted = target**2.2
    # Inverse of the shoulder curve.
    wanted = wanted / (1 + shoulder - shoulder * wanted)
    return wanted / max(level, 1e-9)


def _noise(
    shape: tuple[int, int, int], rng: np.random.Generator
) -> np.ndarray:
    """Unit noise: fine in brightness, softer and weaker in colour.

    Colour filter arrays and video codecs leave no fine noise in colour.
    """
    height, width, _ = shape
    noise = rng.standard_normal((height, width), dtype=np.float32)
    coarse = rng.standard_normal(
        (-(-height // 2), -(-width // 2), 2), dtype=np.float32
    )
    tint = cv2.resize(coarse, (width, height)) * np.float32(0.5)
    return cv2.merge([noise + tint[..., 0], noise, noise + tint[..., 1]])


def capture(
    scene: Scene,
    light: np.ndarray,
    gain: float,
    rng: np.random.Generator | None,
) -> np.ndarray:
    """Photograph a frame.

    Args:
        scene: The run (lens, sensor and compression).
        light: Linear RGB ``(H, W, 3)``, float32.
        gain: Exposure.
        rng: Source of the noise, or None for a clean picture: no noise, no
            compression.

    Returns:
        uint8 RGB ``(H, W, 3)``.
    """
    width = light.shape[1]
    image = develop(light, gain, scene.shoulder)
    sigma = scene.blur * width / 448
    image = cv2.GaussianBlur(image, (0, 0), max(sigma, 0.2))
    if rng is not None:
        read, shot = scene.noise
        scale = np.sqrt(np.maximum(image[..., 1], 0)) * np.float32(shot)
        scale += np.float32(read)
        grain = scale[..., None] * _noise(image.shape, rng)
        image += grain
    if scene.sharpen:
        soft = cv2.GaussianBlur(image, (0, 0), 1.2)
        image += (image - soft) * np.float32(scene.sharpen)
    image *= np.float32(255 * (1 - scene.black))
    image += np.float32(255 * scene.black + 0.5)
    frame = np.clip(image, 0, 255, out=image).astype(np.uint8)
    if rng is not None and scene.quality is not None:
        good, data = cv2.imencode(
            '.jpg',
            cv2.cvtColor(frame, cv2.COLOR_RGB2BGR),
            [cv2.IMWRITE_JPEG_QUALITY, scene.quality],
        )
        if not good:
            raise RuntimeError('OpenCV could not encode a JPEG frame')
        frame = cv2.cvtColor(
            cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB
        )
    return frame
