"""Periodic textures, prefiltered along the pipe and around it."""

import math

import cv2
import numpy as np

_LONGEST, _ROW = 32767, 4096
_PAD = 1  # wrapped border of each level, for bilinear sampling


def _halve(image: np.ndarray, axis: int) -> np.ndarray:
    """Halve a periodic image along one axis with the kernel 1 3 3 1."""
    image = np.moveaxis(image, axis, 0)
    even, odd = image[0::2], image[1::2]
    out = 3 * (even + odd) + np.roll(odd, 1, 0) + np.roll(even, -1, 0)
    return np.moveaxis(out, 0, axis) / np.float32(8)


def _soften(image: np.ndarray) -> np.ndarray:
    """Apply half of the low pass of `_halve` around the pipe."""
    return image * np.float32(0.76) + np.float32(0.12) * (
        np.roll(image, 1, 0) + np.roll(image, -1, 0)
    )


def _remap(
    atlas: np.ndarray, map_x: np.ndarray, map_y: np.ndarray
) -> np.ndarray:
    """Read an image at points (H, W), however long their rows are."""
    shape = map_x.shape
    if max(shape) < _LONGEST:
        return cv2.remap(atlas, map_x, map_y, cv2.INTER_LINEAR)
    # OpenCV counts rows and columns in 16 bits.
    wanted = -(-map_x.size // _ROW) * _ROW
    rows = wanted // _ROW, _ROW
    map_x, map_y = np.resize(map_x, rows), np.resize(map_y, rows)
    out = cv2.remap(atlas, map_x, map_y, cv2.INTER_LINEAR)
    out = out.reshape(wanted, *out.shape[2:])[: math.prod(shape)]
    return out.reshape(*shape, *out.shape[1:])


class MipAtlas:
    """A periodic texture with all its prefiltered levels in one image.

    On the wall of a pipe, seen from near its axis at distance Z, the footprint
    of a pixel grows as Z^2 along the axis and as Z around it. So one chain of
    levels suffices in place of a full two-dimensional ripmap: each level
    halves the resolution along the axis, and every other level halves it
    around the pipe. As all levels lie in one image, ``cv2.remap`` can read a
    different level at each pixel.

    Attributes:
        atlas: All levels, one above the other, each with a wrapped border.
        levels: Their number.
        columns: Columns of the first level.
        flat: Whether the texture has one row.

    Args:
        image: Float32 texture ``(rows, columns, channels)``, rows around
            the pipe, columns along the axis, periodic; sides are powers of
            two (one row is allowed: a function of the axis alone).
        levels: Number of levels, two or more, the first one included.
    """

    def __init__(self, image: np.ndarray, levels: int) -> None:
        image = np.ascontiguousarray(image, np.float32)
        for side in image.shape[:2]:
            if side & (side - 1):
                raise ValueError(
                    f'texture sides must be powers of two, not {image.shape}'
                )
        if levels < 2 or image.shape[1] >> (levels - 1) < 1:
            raise ValueError(
                f'levels must be at least 2 and fit into {image.shape[1]} '
                f'columns halved at each level, not {levels}'
            )
        chain = [image]
        for level in range(1, levels):
            image = _halve(image, 1)
            if image.shape[0] > 1:
                image = _soften(image)
                if level % 2 == 0:
                    image = _halve(image, 0)
            chain.append(image)
        border = [
            cv2.copyMakeBorder(
                level,
                0 if level.shape[0] == 1 else _PAD,
                0 if level.shape[0] == 1 else _PAD,
                _PAD,
                _PAD,
                cv2.BORDER_WRAP,
            )
            for level in chain
        ]
        top = np.cumsum([0] + [level.shape[0] for level in border])
        self.atlas = np.zeros(
            (top[-1], border[0].shape[1], image.shape[-1]), np.float32
        )
        for plane, y in zip(border, top, strict=False):
            # OpenCV drops the channel axis of a single channel.
            self.atlas[y : y + plane.shape[0], : plane.shape[1]] = (
                plane.reshape(*plane.shape[:2], -1)
            )
        self.flat = chain[0].shape[0] == 1
        self.levels = levels
        self.columns = chain[0].shape[1]
        self._width = np.array([c.shape[1] for c in chain], np.float32)
        self._height = np.array([c.shape[0] for c in chain], np.float32)
        self._top = top[:-1].astype(np.float32)

    def _read(
        self, u: np.ndarray, v: np.ndarray | None, level: np.ndarray
    ) -> np.ndarray:
        map_x = np.take(self._width, level, mode='clip')
        map_x *= u
        map_x += np.float32(_PAD - 0.5)
        map_y = np.take(self._top, level, mode='clip')
        if v is not None:
            rows = np.take(self._height, level, mode='clip')
            rows *= v
            map_y += rows
            map_y += np.float32(_PAD - 0.5)
        return _remap(self.atlas, map_x, map_y)

    def sample(
        self, u: np.ndarray, v: np.ndarray | None, level: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """Read the texture, trilinearly.

        Args:
            u: Position along the axis in periods, float32 ``(H, W)``.
            v: Position around the pipe in periods, or None for a texture
                of one row.
            level: Desired level ``(H, W)``, log2 of the axial footprint in
                pixels of the first level; clipped to the existing levels.

        Returns:
            One float32 plane ``(H, W)`` per channel.
        """
        u = u - np.floor(u)
        if v is not None:
            v = None if self.flat else v - np.floor(v)
        level = np.clip(level, 0, np.float32(self.levels - 1.001))
        low = level.astype(np.intp)
        level -= low.astype(np.float32)
        below = self._read(u, v, low)
        low += 1
        above = self._read(u, v, low)
        out = cv2.blendLinear(below, above, 1 - level, level)
        return tuple(cv2.split(out))
