"""Frames of a video: to choose from, and beside the chosen one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mmdsr.errors import VideoError
from mmdsr.page.jobs import Outcome, Progress
from mmdsr.page.sessions import Preview, Upload
from mmdsr.video.filters import Candidate, is_cut, measure
from mmdsr.video.matching import find_features, match_features
from mmdsr.video.reader import probe, read_video
from mmdsr.video.references import score
from mmdsr.video.stamps import Sampler

#: Longest side of the small pictures.
_SIDE = 1280
#: Seconds beside a frame at which a reference is looked for, besides the very
#: next frames; and the frames that are the most.
_SECONDS, _FARTHEST = (0.24, 0.48), 15
#: Matches that a reference must have, and the share of the picture that they
#: must be spread over, as for training data.
_LEAST, _SPREAD = 15, 0.18

#: ``report(share, text)`` notes how far a job is.
Report = Callable[[float, str], None]
#: A part of a picture: x, y, width, height.
Box = tuple[int, int, int, int]


def prepare(
    upload: Upload,
    most: int,
    new_path: Callable[[str], Path],
    progress: Progress,
) -> Outcome:
    """Make small pictures of frames that are spread over a video.

    Args:
        upload: The video; gets them one by one.
        most: How many there may be.
        new_path: Gives a path for a file with a suffix.
        progress: Of the job.

    Returns:
        Nothing more.

    Raises:
        VideoError: If no frame can be read.
        CanceledJobError: If the job is to end.
    """
    info = probe(upload.path)
    duration = info.duration or 0.0
    # Unknown: a frame a second, up to the most.
    step = max(duration / most, 1 / info.rate) if duration else 1.0
    sampler = Sampler(step_seconds=step if step > 1 / info.rate else 0.0)
    frames = read_video(upload.path, sampler=sampler)
    for index, time, picture in frames:
        share = time / duration if duration else len(upload.previews) / most
        progress.report(share, 'looking through the video')
        path = new_path('.jpg')
        save_small(picture, path)
        upload.previews.append(Preview(index, time, path))
        if len(upload.previews) >= most:
            frames.close()
            break
    if not upload.previews:
        raise VideoError(f'no frame of {upload.name} can be read')
    return {}


def save_small(picture: np.ndarray, path: Path) -> None:
    """Write a picture as small as the page shows it.

    Args:
        picture: RGB (H, W, 3) uint8.
        path: A JPEG file.
    """
    small = Image.fromarray(picture)
    small.thumbnail((_SIDE, _SIDE))
    small.save(path, quality=90)


@dataclass(frozen=True)
class Moment:
    """A frame, and the frame beside it that detail may be taken from.

    Attributes:
        time: Its seconds.
        picture: RGB (H, W, 3) uint8.
        reference: Likewise, of the other frame; None without one.
        index: Number of the other frame.
        why: Why this one, or why none.
    """

    time: float
    picture: np.ndarray
    reference: np.ndarray | None = None
    index: int | None = None
    why: str = ''


def read_moment(
    path: Path, index: int, box: Box, neighbors: bool, report: Report
) -> Moment:
    """Read a frame, and find its reference among those around it.

    Args:
        path: The video.
        index: Number of the frame.
        box: The part that is to be enlarged; the reference must fit there.
        neighbors: Whether a reference is wanted.
        report: Gets how far it is.

    Returns:
        The frame.

    Raises:
        VideoError: If there is no such frame, or it cannot be read.
    """
    offsets = _offsets(probe(path).rate) if neighbors else ()
    reach = max(offsets, default=0)
    found: dict[int, Candidate] = {}
    frames = read_video(path)
    for number, time, picture in frames:
        report(0.9 * number / (index + reach + 1), 'reading the video')
        if number >= index - reach:
            found[number] = measure(number, time, picture)
        if number >= index + reach:
            frames.close()
            break
    if index not in found:
        raise VideoError(
            f'frame {index} of the video cannot be read: choose another one'
        )
    own = found[index]
    if not neighbors:
        return Moment(own.time, own.image, why='none was asked for')
    report(0.9, 'looking for a reference')
    best, most, here = _best(found, index, offsets, box)
    if best is not None:
        return Moment(
            own.time,
            own.image,
            best.image,
            best.index,
            'best of the frames around',
        )
    why = 'there is no other frame of the same scene'
    if here:
        why = (
            'the picture turns or is too plain: at best '
            f'{most} matches with a frame around'
        )
    return Moment(own.time, own.image, why=why)


def cut(picture: np.ndarray, box: Box) -> np.ndarray:
    """Return a part of a picture (H, W, 3) as an array of its own.

    Args:
        picture: Any picture.
        box: The part.
    """
    x, y, width, height = box
    return np.ascontiguousarray(picture[y : y + height, x : x + width])


def _offsets(rate: float) -> tuple[int, ...]:
    return tuple(
        sorted({1, *(min(_FARTHEST, round(one * rate)) for one in _SECONDS)})
    )


def _best(
    found: dict[int, Candidate],
    index: int,
    offsets: tuple[int, ...],
    box: Box,
) -> tuple[Candidate | None, int, bool]:
    """Return the best reference, the most matches, and if any was near."""
    own = measure(index, 0.0, cut(found[index].image, box))
    features = find_features(own.image)
    best: Candidate | None = None
    value, most, here = 0.0, 0, False
    for offset in (*offsets, *(-one for one in offsets)):
        number = index + offset
        if number not in found or _apart(found, index, number):
            continue
        here = True
        part = measure(number, 0.0, cut(found[number].image, box))
        match = match_features(features, find_features(part.image))
        most = max(most, match.inliers)
        if match.inliers < _LEAST:
            continue
        if max(match.spread, match.spread_back) < _SPREAD:
            continue
        now = score(own, part, match, _LEAST)
        if now > value:
            best, value = found[number], now
    return best, most, here


def _apart(found: dict[int, Candidate], one: int, other: int) -> bool:
    """Tell whether a cut or a gap lies between two frames."""
    first, last = min(one, other), max(one, other)
    return any(
        n not in found or n + 1 not in found or is_cut(found[n], found[n + 1])
        for n in range(first, last)
    )
