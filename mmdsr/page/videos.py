"""Frames of a video: previews, and the neighbors of the chosen frame."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from PIL import Image

from mmdsr.errors import VideoError
from mmdsr.page.jobs import Outcome, Progress
from mmdsr.page.sessions import Preview, Upload
from mmdsr.recording.neighbors import Moment, find_references, reach_of
from mmdsr.video.reader import probe, read_video
from mmdsr.video.stamps import Sampler

#: Longest side of the previews in pixels.
_SIDE = 1280
#: ``report(share, text)`` reports the progress of a job.
Report = Callable[[float, str], None]
#: A part of a picture: x, y, width, height.
Box = tuple[int, int, int, int]


def prepare(
    upload: Upload,
    most: int,
    new_path: Callable[[str], Path],
    progress: Progress,
) -> Outcome:
    """Create previews of frames that are spread over a video.

    Args:
        upload: The video, to which they are added one by one.
        most: Maximum number of previews.
        new_path: Function that returns an unused path with a suffix.
        progress: Progress of the job.

    Returns:
        An empty description, as there is no further result.

    Raises:
        VideoError: If no frame can be read.
        CanceledJobError: If the job was canceled.
    """
    info = probe(upload.path)
    duration = info.duration or 0.0
    # Duration unknown: one frame per second, up to the maximum.
    step = max(duration / most, 1 / info.rate) if duration else 1.0
    sampler = Sampler(step_seconds=step if step > 1 / info.rate else 0.0)
    frames = read_video(upload.path, sampler=sampler)
    for index, time, picture in frames:
        share = time / duration if duration else len(upload.previews) / most
        progress.report(share, 'reading through the video')
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
    """Write a picture at the size of a preview.

    Args:
        picture: RGB (H, W, 3) uint8.
        path: A JPEG file.
    """
    small = Image.fromarray(picture)
    small.thumbnail((_SIDE, _SIDE))
    small.save(path, quality=90)


def read_moment(
    path: Path, index: int, box: Box, neighbors: bool, report: Report
) -> Moment:
    """Read a frame, and find its reference among those around it.

    Args:
        path: The video.
        index: Number of the frame.
        box: The part to enlarge, for which the reference must be suitable.
        neighbors: Whether to look for a reference.
        report: Called with the progress.

    Returns:
        The frame and its references.

    Raises:
        VideoError: If there is no such frame, or it cannot be read.
    """
    rate = probe(path).rate
    policy = 'auto' if neighbors else 'none'
    moments = find_references(
        _around(path, index, reach_of(policy, rate), report),
        policy,
        lambda number, _: number == index,
        lambda picture, _: cut(picture, box),
        rate,
    )
    moment = next(moments, None)
    moments.close()
    if moment is None:
        raise VideoError(
            f'frame {index} of the video cannot be read: choose another one'
        )
    return moment


def _around(
    path: Path, index: int, reach: int, report: Report
) -> Iterator[tuple[int, float, np.ndarray]]:
    """Yield a frame and its neighbors."""
    last = index + reach
    with closing(read_video(path)) as frames:
        for number, time, picture in frames:
            report(number / (last + 1), 'reading the video')
            if number >= index - reach:
                yield number, time, picture
            if number >= last:
                return


def cut(picture: np.ndarray, box: Box) -> np.ndarray:
    """Return a copy of a part of a picture (H, W, 3) or of a mask (H, W).

    Args:
        picture: Any picture.
        box: The part.
    """
    x, y, width, height = box
    return np.ascontiguousarray(picture[y : y + height, x : x + width])
