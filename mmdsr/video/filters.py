"""Select the frames worth keeping from decoded pictures."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from PIL import Image

from mmdsr.io.frames import MIN_LR_SIDE, sharpness
from mmdsr.video.matching import Features
from mmdsr.video.overlays import Box, largest_free_box

DARK, BLURRED, DUPLICATE = 'too dark', 'blurred', 'near-duplicate'

_RADIUS = 12
"""Number of frames before and after with which sharpness is compared."""
_FLAT = 3.0
"""Standard deviation of the luma of an empty picture, in gray levels."""
_CUT_COLORS, _CUT_DIFFERENCE = 0.7, 16.0
_THUMB = (32, 24)


@dataclass(eq=False)
class Candidate:
    """A candidate frame for the data set.

    Attributes:
        index: Number of the frame in the video.
        time: Seconds from the start.
        image: ``(H, W, 3)`` uint8 RGB, cropped and resized.
        thumb: ``(24, 32, 3)`` float32, the image reduced.
        brightness: Mean luma in [0, 255].
        contrast: Standard deviation of the luma.
        sharpness: Variance of the Laplacian of the luma.
        shot: Number of the scene, counted from 0.
        features: Features, computed when matching needs them.
    """

    index: int
    time: float
    image: np.ndarray
    thumb: np.ndarray
    brightness: float
    contrast: float
    sharpness: float
    shot: int = 0
    features: Features | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Framing:
    """The part of the picture that is used, and its size.

    Attributes:
        box: ``(x, y, w, h)`` in pixels.
        size: ``(W, H)`` after resizing.
    """

    box: Box
    size: tuple[int, int]

    def apply(self, picture: np.ndarray) -> np.ndarray:
        """Crop and resize a picture.

        Args:
            picture: ``(h, w, 3)`` uint8.

        Returns:
            ``(H, W, 3)`` uint8.
        """
        x, y, w, h = self.box
        part = picture[y : y + h, x : x + w]
        if (w, h) == self.size:
            return np.ascontiguousarray(part)
        # Pillow's filter is antialiased.
        return np.asarray(
            Image.fromarray(part).resize(self.size, Image.Resampling.BICUBIC)
        )


def plan_framing(
    width: int,
    height: int,
    scale: int,
    boxes: Sequence[Box] = (),
    crop: Box | None = None,
    size: tuple[int, int] | None = None,
) -> Framing:
    """Choose the part of the picture to use.

    Args:
        width: Width of the picture in pixels.
        height: Height.
        scale: Must divide the sides of the result.
        boxes: Parts ``(x, y, w, h)`` to avoid.
        crop: The part to use, ``(x, y, w, h)``; ``boxes`` are then ignored.
        size: ``(W, H)`` of the result: the center of the part with that aspect
            ratio is reduced to it.

    Returns:
        The box and the size.

    Raises:
        ValueError: If the part lies outside, is too small, or would have to
            be enlarged.
    """
    if crop is not None:
        x, y, w, h = crop
        if x < 0 or y < 0 or x + w > width or y + h > height:
            raise ValueError(
                f'the crop {x} {y} {w} {h} extends beyond the picture of '
                f'{width}x{height}'
            )
    elif boxes:
        aspect = None if size is None else size[0] / size[1]
        x, y, w, h = largest_free_box(width, height, boxes, scale, aspect)
    else:
        x, y, w, h = 0, 0, width, height
    if size is not None:
        ratio = size[0] / size[1]
        wide, tall = min(w, round(h * ratio)), min(h, round(w / ratio))
        x, y, w, h = x + (w - wide) // 2, y + (h - tall) // 2, wide, tall
        if w < size[0] or h < size[1]:
            raise ValueError(
                f'only {w}x{h} of the picture of {width}x{height} can be '
                'used, which is smaller than the requested size '
                f'{size[0]}x{size[1]}'
            )
    else:
        w, h = w - w % scale, h - h % scale
        size = w, h
    if min(size) < MIN_LR_SIDE * scale:
        raise ValueError(
            f'{w}x{h} of the picture of {width}x{height} is too small: both '
            f'sides must be at least {MIN_LR_SIDE * scale}'
        )
    return Framing((x, y, w, h), (size[0], size[1]))


def measure(index: int, time: float, image: np.ndarray) -> Candidate:
    """Measure a frame.

    Args:
        index: Number of the frame.
        time: Seconds.
        image: ``(H, W, 3)`` uint8 RGB.

    Returns:
        The frame and its measures.
    """
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    thumb = cv2.resize(image, _THUMB, interpolation=cv2.INTER_AREA)
    return Candidate(
        index,
        time,
        image,
        thumb.astype(np.float32),
        float(luma.mean()),
        float(luma.std()),
        sharpness(image),
    )


def is_cut(one: Candidate, other: Candidate) -> bool:
    """Return whether a scene ends between two frames.

    A fast pan changes the picture as much, but not its colors. Cuts that are
    missed here are detected by missing matches.

    Args:
        one: A frame.
        other: The next one.

    Returns:
        True if the colors differ.
    """
    difference = float(np.abs(one.thumb - other.thumb).mean())
    if difference < _CUT_DIFFERENCE:
        return False
    distance = cv2.compareHist(
        _colors(one.thumb), _colors(other.thumb), cv2.HISTCMP_BHATTACHARYYA
    )
    return distance > _CUT_COLORS


def _colors(thumb: np.ndarray) -> np.ndarray:
    histogram = cv2.calcHist([thumb], [0, 1, 2], None, [6] * 3, [0, 256] * 3)
    return histogram / histogram.sum()


def judge(
    candidates: Iterable[Candidate],
    dark: float = 16.0,
    blur: float = 0.25,
    duplicate: float = 2.0,
    cuts: list[float] | None = None,
) -> Iterator[tuple[Candidate, str]]:
    """Return which frames to drop, and why; number the scenes.

    - Too dark: the mean luma is below ``dark``, or the picture is empty
      (black, or a single color).
    - Blurred: the sharpness is below ``blur`` times the median of the
      surrounding frames of the same scene.
    - Near-duplicate: the reduced picture differs from that of the last kept
      frame of the scene by less than ``duplicate`` gray levels on average.

    Args:
        candidates: Frames in order; only a few are held at a time.
        dark: Threshold in [0, 255].
        blur: Threshold in [0, 1); 0 drops no frame.
        duplicate: Threshold in gray levels; 0 drops no frame.
        cuts: List to which the time of each scene cut is appended.

    Yields:
        Each frame, and why it is dropped ('' if it is kept).
    """
    shot = _Shot(blur, duplicate)
    last = None
    for candidate in candidates:
        if candidate.brightness < dark or candidate.contrast < _FLAT:
            yield candidate, DARK
            continue
        if last is not None and is_cut(last, candidate):
            yield from shot.end()
            shot = _Shot(blur, duplicate, last.shot + 1)
            if cuts is not None:
                cuts.append(round(candidate.time, 3))
        candidate.shot = shot.number
        last = candidate
        yield from shot.add(candidate)
    yield from shot.end()


class _Shot:
    """Detect blur and duplicates within one scene."""

    def __init__(self, blur: float, duplicate: float, number: int = 0) -> None:
        self.blur, self.duplicate, self.number = blur, duplicate, number
        self.past: deque[float] = deque(maxlen=_RADIUS)
        self.waiting: deque[Candidate] = deque()
        self.kept: np.ndarray | None = None

    def add(self, candidate: Candidate) -> Iterator[tuple[Candidate, str]]:
        self.waiting.append(candidate)
        if len(self.waiting) > _RADIUS:
            yield self._decide()

    def end(self) -> Iterator[tuple[Candidate, str]]:
        while self.waiting:
            yield self._decide()

    def _decide(self) -> tuple[Candidate, str]:
        around = [*self.past, *(one.sharpness for one in self.waiting)]
        candidate = self.waiting.popleft()
        self.past.append(candidate.sharpness)
        if candidate.sharpness < self.blur * np.median(around):
            return candidate, BLURRED
        if self.kept is not None:
            difference = np.abs(candidate.thumb - self.kept).mean()
            if difference < self.duplicate:
                return candidate, DUPLICATE
        self.kept = candidate.thumb
        return candidate, ''
