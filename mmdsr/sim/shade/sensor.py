"""From linear light to the bytes of a frame: lens, exposure, compression."""

import cv2
import numpy as np

from mmdsr.sim.scene.scene import Scene
from mmdsr.sim.shade.text import Caption


def develop(light: np.ndarray, gain: float, shoulder: float) -> np.ndarray:
    """Exposure, highlight compression and display gamma.

    Args:
        light: Linear RGB, any scale.
        gain: Exposure.
        shoulder: 0 clips at white; larger values compress the highlights and
            keep white unchanged.

    Returns:
        Display values, float32; 1 is white and may be exceeded.
    """
    value = light * np.float32(gain)
    value *= np.float32(1 + shoulder) / (1 + np.float32(shoulder) * value)
    return cv2.pow(value, 1 / 2.2, value)


def meter(light: np.ndarray, target: float, shoulder: float) -> float:
    """Return the gain that maps the 85th percentile to a display value.

    Args:
        light: Linear RGB.
        target: Display value in (0, 1).
        shoulder: See `develop`.

    Returns:
        The gain.
    """
    level = float(np.percentile(light[..., 1], 85))
    wanted = target**2.2
    # Inverse of the shoulder curve.
    wanted = wanted / (1 + shoulder - shoulder * wanted)
    return wanted / max(level, 1e-9)


def _noise(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Unit noise: fine in brightness, softer and weaker in color.

    Color filter arrays and video codecs leave no fine noise in color.
    """
    height, width, _ = shape
    noise = rng.standard_normal((height, width), dtype=np.float32)
    coarse = rng.standard_normal(
        (-(-height // 2), -(-width // 2), 2), dtype=np.float32
    )
    tint = cv2.resize(coarse, (width, height)) * np.float32(0.5)
    return cv2.merge([noise + tint[..., 0], noise, noise + tint[..., 1]])


def _shake(image: np.ndarray, length: float, angle: float) -> np.ndarray:
    """Blur along a line: the camera moved during the exposure."""
    reach = int(np.ceil(length / 2)) + 1
    side = 2 * reach + 1
    kernel = np.zeros((side, side), np.float32)
    step = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    middle = np.array([reach, reach])
    # cv2.line takes sixteenths of a pixel.
    ends = np.round(np.stack([middle - step, middle + step]) * 16).astype(int)
    cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), (1.0,), 1, 8, 4)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def _tone(image: np.ndarray, contrast: float) -> None:
    """The camera's S curve: deeper blacks, brighter whites, in place."""
    value = np.clip(image, 0, 1)
    curve = value * value * (3 - 2 * value)
    image += np.float32(contrast) * (curve - value)


def compress(image: np.ndarray, quality: int) -> np.ndarray:
    """Send an image through JPEG with halved color resolution.

    Args:
        image: uint8 RGB ``(H, W, 3)``.
        quality: JPEG quality, 1 to 100.

    Returns:
        The decoded image, uint8 RGB ``(H, W, 3)``.
    """
    settings = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    ]
    good, data = cv2.imencode(
        '.jpg', cv2.cvtColor(image, cv2.COLOR_RGB2BGR), settings
    )
    if not good:
        raise RuntimeError('OpenCV could not encode a JPEG frame')
    return cv2.cvtColor(
        cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB
    )


def capture(
    scene: Scene,
    light: np.ndarray,
    gain: float,
    rng: np.random.Generator | None,
    caption: Caption | None = None,
    frame: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Photograph a frame.

    Args:
        scene: The run (lens, sensor and compression).
        light: Linear RGB ``(H, W, 3)``, float32.
        gain: Exposure.
        rng: Source of the noise, or None for a clean picture: no motion
            blur, no noise, no compression.
        caption: Text to burn in.
        frame: Number of the frame, for the text.

    Returns:
        uint8 RGB ``(H, W, 3)``, and where text was burned in ``(H, W)``.
    """
    height, width, _ = light.shape
    image = develop(light, gain, scene.shoulder)
    if scene.contrast:
        _tone(image, scene.contrast)
    sigma = scene.blur * width / 448
    image = cv2.GaussianBlur(image, (0, 0), max(sigma, 0.2))
    if rng is not None:
        length = scene.shake * rng.random() * width / 448
        if length > 0.5:
            image = _shake(image, length, rng.uniform(0, np.pi))
        read, shot = scene.noise
        scale = np.sqrt(np.maximum(image[..., 1], 0)) * np.float32(shot)
        scale += np.float32(read)
        grain = scale[..., None] * _noise(image.shape, rng)
        image += grain
        if scene.banding:
            phase = rng.uniform(0, 2 * np.pi)
            waves = np.arange(height) * (2 * np.pi * 2.3 / height) + phase
            bands = np.sin(waves) + 0.5 * np.sin(7.1 * waves)
            image += np.float32(scene.banding) * bands[:, None, None].astype(
                np.float32
            )
    if scene.sharpen:
        soft = cv2.GaussianBlur(image, (0, 0), 1.2)
        image += (image - soft) * np.float32(scene.sharpen)
    image *= np.float32(255 * (1 - scene.black))
    image += np.float32(255 * scene.black + 0.5)
    picture = np.clip(image, 0, 255, out=image).astype(np.uint8)
    if caption is None:
        overlay = np.zeros((height, width), bool)
    else:
        overlay = caption.draw(picture, frame)
    if rng is not None and scene.quality is not None:
        picture = compress(picture, scene.quality)
    return picture, overlay
