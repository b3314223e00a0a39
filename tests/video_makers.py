"""Small videos made on the spot, for the tests of the video tools."""

import cv2
import numpy as np

from mmdsr.dev.recordings import write_recording


def blurred(image, sigma=4):
    """The image out of focus."""
    return cv2.GaussianBlur(image, (0, 0), sigma)


def write_video(path, frames, codec='mpeg4', rate=5, **options):
    """Encode a recording as slow as the videos of a walk through a sewer.

    The options are those of ``mmdsr.dev.recordings.write_recording``.
    """
    return write_recording(path, frames, rate, codec=codec, **options)


def join(path, *parts):
    """Put files behind each other, as recorders do."""
    path.write_bytes(b''.join(part.read_bytes() for part in parts))
    return path


def cut_short(path, share):
    """Keep the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def psnr(one, other):
    """Peak signal-to-noise ratio of two 8-bit images in dB."""
    error = np.mean((one.astype(float) - other) ** 2)
    return 10 * np.log10(255**2 / max(error, 1e-9))
