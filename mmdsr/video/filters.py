"""From decoded pictures to the frames worth keeping."""

from collections import deque
from dataclasses import dataclass, field

import cv2
import numpy as np
from PIL import Image

from mmdsr.io.frames import MIN_LR_SIDE, sharpness
from mmdsr.video.overlays import largest_free_box

DARK, BLURRED, DUPLICATE = 'too dark', 'blurred', 'near-duplicate'

_RADIUS = 12
"""Frames before and after that a frame's sharpness is compared with."""
_FLAT = 3.0
"""Deviation of the luma, grey levels, of a picture with nothing in it."""
_CUT_COLOURS, _CUT_DIFFERENCE = 0.7, 16.0
_THUMB = (32, 24)


@dataclass(eq=False)
class Candidate:
    """A frame on its way into the data set.

    Attributes:
        index (int): Number of the frame in the video.
        time (float): Seconds from the start.
        image (np.ndarray): ``(H, W, 3)`` uint8 RGB, cut and resized.
        thumb (np.ndarray): ``(24, 32, 3)`` float32, the image reduced.
        brightness (float): Mean luma in [0, 255].
        contrast (float): Standard deviation of the luma.
        sharpness (float): Variance of the Laplacian of the luma.
        shot (int): Number of the scene, counted from 0.
        features (tuple or None): For matching, once they are needed.
    """

    index: int
    time: float
    image: np.ndarray
    thumb: np.ndarray
    brightness: float
    contrast: float
    sharpness: float
    shot: int = 0
    features: tuple | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Framing:
    """The part of the picture that is used, and its size.

    Attributes:
        box (tuple[int, int, int, int]): ``(x, y, w, h)`` in pixels.
        size (tuple[int, int]): ``(W, H)`` after resizing.
    """

    box: tuple
    size: tuple

    def apply(self, picture):
        """Cut and resize a picture.

        Args:
            picture (np.ndarray): ``(h, w, 3)`` uint8.

        Returns:
            np.ndarray: ``(H, W, 3)`` uint8.
        """
        x, y, w, h = self.box
        part = picture[y : y + h, x : x + w]
        if (w, h) == self.size:
            return np.ascontiguousarray(part)
        # Pillow's filter widens with the reduction: it does not alias.
        return np.asarray(
            Image.fromarray(part).resize(self.size, Image.Resampling.BICUBIC)
        )


def plan_framing(width, height, scale, boxes=(), crop=None, size=None):
    """Choose the part of the picture to be used.

    Args:
        width (int): Width of the picture in pixels.
        height (int): Height.
        scale (int): Must divide the sides of the result.
        boxes (Sequence[tuple]): ``(x, y, w, h)`` that must stay out.
        crop (tuple, optional): The part to be used, ``(x, y, w, h)``;
            ``boxes`` are not looked at.
        size (tuple, optional): ``(W, H)`` of the result: the middle of the
            part with that aspect ratio is reduced to it.

    Returns:
        Framing: Box and size.

    Raises:
        ValueError: If the part lies outside, is too small, or would have to
            be enlarged.
    """
    aspect = size[0] / size[1] if size else None
    if crop is not None:
        x, y, w, h = crop
        if x < 0 or y < 0 or x + w > width or y + h > height:
            raise ValueError(
                f'the crop {x} {y} {w} {h} reaches out of the picture of '
                f'{width}x{height}'
            )
    elif boxes:
        x, y, w, h = largest_free_box(width, height, boxes, scale, aspect)
    else:
        x, y, w, h = 0, 0, width, height
    if size:
        wide, tall = min(w, round(h * aspect)), min(h, round(w / aspect))
        x, y, w, h = x + (w - wide) // 2, y + (h - tall) // 2, wide, tall
        if w < size[0] or h < size[1]:
            raise ValueError(
                f'{w}x{h} of the picture of {width}x{height} can be used, '
                f'and would have to be enlarged to {size[0]}x{size[1]}'
            )
    else:
        w, h = w - w % scale, h - h % scale
        size = w, h
    if min(size) < MIN_LR_SIDE * scale:
        raise ValueError(
            f'{w}x{h} of the picture of {width}x{height} is too small, both '
            f'sides must be at least {MIN_LR_SIDE * scale}'
        )
    return Framing((x, y, w, h), tuple(size))


def measure(index, time, image):
    """Measure a frame.

    Args:
        index (int): Number of the frame.
        time (float): Seconds.
        image (np.ndarray): ``(H, W, 3)`` uint8 RGB.

    Returns:
        Candidate: The frame and its measures.
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


def is_cut(one, other):
    """Tell whether a scene ends between two frames.

    A fast pan changes the picture as much, but not its colours; what is not
    found here is left to the match support.

    Args:
        one (Candidate): A frame.
        other (Candidate): The next one.

    Returns:
        bool: True if the colours are others.
    """
    difference = float(np.abs(one.thumb - other.thumb).mean())
    if difference < _CUT_DIFFERENCE:
        return False
    distance = cv2.compareHist(
        _colours(one.thumb), _colours(other.thumb), cv2.HISTCMP_BHATTACHARYYA
    )
    return distance > _CUT_COLOURS


def _colours(thumb):
    histogram = cv2.calcHist([thumb], [0, 1, 2], None, [6] * 3, [0, 256] * 3)
    return histogram / histogram.sum()


def judge(candidates, dark=16.0, blur=0.25, duplicate=2.0, cuts=None):
    """Tell which frames to drop, and why; number the scenes.

    - Too dark: the mean luma is below ``dark``, or there is nothing in the
      picture (black, or one colour).
    - Blurred: the sharpness is below ``blur`` times the median of the frames
      around it, of the same scene.
    - Near-duplicate: the reduced picture differs from that of the last kept
      frame of the scene by less than ``duplicate`` grey levels in the mean.

    Args:
        candidates (Iterable[Candidate]): Frames in order; a few are held
            back, the rest streams.
        dark (float): In [0, 255].
        blur (float): In [0, 1); 0 drops none.
        duplicate (float): In grey levels; 0 drops none.
        cuts (list, optional): Gets the time of each scene cut.

    Yields:
        tuple[Candidate, str]: Frame, and why it is dropped ('' if kept).
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
    """Blur and duplicates within one scene."""

    def __init__(self, blur, duplicate, number=0):
        self.blur, self.duplicate, self.number = blur, duplicate, number
        self.past = deque(maxlen=_RADIUS)
        self.waiting = deque()
        self.kept = None

    def add(self, candidate):
        self.waiting.append(candidate)
        if len(self.waiting) > _RADIUS:
            yield self._decide()

    def end(self):
        while self.waiting:
            yield self._decide()

    def _decide(self):
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
