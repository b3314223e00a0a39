"""Digests of pixels, independent of the file format.

The SHA-256 covers a line such as ``2304x2880x3`` (rows, columns, channels;
ASCII, with a line feed) and then the bytes of all pixels, row by row, RGB or
RGBA. The digest of a video covers those of its decoded frames, each as 64
hexadecimal digits and a line feed.
"""

import hashlib
from pathlib import Path

import numpy as np

#: Rows at a time, so that a view of an image needs no copy of all of it.
_ROWS = 64


def pixels_digest(image: np.ndarray) -> str:
    """Return the SHA-256 of the pixels of an image.

    Args:
        image: ``(H, W, 3)`` RGB or ``(H, W, 4)`` RGBA, uint8.

    Returns:
        64 hexadecimal digits.

    Raises:
        ValueError: If it has another format.
    """
    if image.dtype != np.uint8 or image.ndim != 3:
        raise ValueError(
            f'An image must be (H, W, C) of uint8, not {image.shape} of '
            f'{image.dtype}.'
        )
    total = hashlib.sha256('{}x{}x{}\n'.format(*image.shape).encode())
    for row in range(0, len(image), _ROWS):
        total.update(np.ascontiguousarray(image[row : row + _ROWS]).data)
    return total.hexdigest()


class FramesDigest:
    """The digest of a video, frame by frame.

    Attributes:
        count: Number of frames added so far.
    """

    def __init__(self) -> None:
        self.count = 0
        self._total = hashlib.sha256()

    def add(self, frame: np.ndarray) -> None:
        """Add the next frame.

        Args:
            frame: ``(H, W, 3)`` RGB, uint8.
        """
        self._total.update(f'{pixels_digest(frame)}\n'.encode())
        self.count += 1

    def hexdigest(self) -> str:
        """Return 64 hexadecimal digits for the frames so far."""
        return self._total.hexdigest()


def video_digest(path: str | Path) -> tuple[str, int]:
    """Decode a video and return the digest of its frames.

    Args:
        path: The file.

    Returns:
        64 hexadecimal digits, and the number of frames.

    Raises:
        VideoError: If it is not a video, or parts of it cannot be decoded.
        OSError: If it cannot be read.
        MissingExtraError: Without PyAV.
    """
    from mmdsr.errors import VideoError
    from mmdsr.video.reader import read_video

    frames = FramesDigest()
    problems: list[tuple[float, str]] = []
    # Samples as they are stored: no filter between the file and the digest.
    for _, _, frame in read_video(
        path, deinterlace='off', sar='keep', problems=problems
    ):
        frames.add(frame)
    if problems:
        seconds, text = problems[0]
        raise VideoError(f'at {seconds} s: {text}')
    return frames.hexdigest(), frames.count
