"""Compare recordings of every kind with the films of ``mmdsr enhance``.

A recording is assembled from frames, enhanced by the command, and both files
are read with PyAV alone (:mod:`mmdsr.dev.films`). Frames, times, sound, pixel
aspect ratio and colors must be equal. One run is killed and resumed, too.
"""

import contextlib
import io
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from mmdsr.dev.film_kinds import Kind, assemble
from mmdsr.dev.films import Contents, read_film
from mmdsr.errors import VideoError
from mmdsr.evidence.verify import verify
from mmdsr.recording.staging import staging_root

#: Code of an unspecified property.
_OPEN = {0, 2}
#: Tolerance in seconds for Matroska, whose unit is a millisecond.
_MILLISECOND = Fraction(1, 1000)
#: Tolerance in seconds between sound and pictures in an MP4.
_OFF = Fraction(1, 2000)
#: Minimum PSNR in dB between a frame and the enlarged frame, reduced again.
_ALIKE = 28.0
#: Factor by which a neighbor must fit better to be reported instead.
_NEARER = 0.8
#: Maximum duration of a run in seconds.
_LIMIT = 600
#: Maximum ratio of the memory for the longest and the shortest recording.
FLAT = 1.1


@dataclass
class Finding:
    """Outcome for a recording.

    Attributes:
        kind: Its kind.
        frames: Frames of the recording, and of the film.
        off: Largest difference of the time of a frame in seconds.
        sounds: Number of sound packets that are equal in both.
        sound_off: Largest offset between sound and pictures in seconds.
        sar: Pixel aspect ratio of both.
        size: Size of the film.
        psnr: Minimum PSNR of a frame in dB.
        resumed: Finished segments when it was killed; None if it was not.
        problems: Descriptions of the problems.
    """

    kind: str
    frames: tuple[int, int] = (0, 0)
    off: Fraction = Fraction(0)
    sounds: int = 0
    sound_off: Fraction = Fraction(0)
    sar: tuple[Fraction, Fraction] = (Fraction(1), Fraction(1))
    size: tuple[int, int] = (0, 0)
    psnr: float = 0.0
    resumed: int | None = None
    problems: list[str] = field(default_factory=list)


def check(
    kind: Kind,
    pictures: Sequence[np.ndarray],
    folder: Path,
    options: Sequence[str],
    scale: int,
) -> Finding:
    """Enhance a recording of a kind and compare the film with it.

    Args:
        kind: Its kind.
        pictures: Its frames, (H, W, 3) uint8 RGB each.
        folder: A folder to work in.
        options: Options of the command except the scale.
        scale: Factor of the number of rows and columns.

    Returns:
        The findings.
    """
    source = assemble(kind, pictures, folder)
    target = folder / f'{kind.name}-film{kind.made}'
    words = [*options, '--scale', str(scale)]
    said = _enhance([str(source), str(target), *words])
    if said:
        return Finding(kind.name, problems=[said])
    found, film = compare(kind, source, target, scale)
    found.problems += verify(target, source).problems
    if kind.resumed:
        again = folder / 'resumed' / target.name
        again.parent.mkdir()
        _resume(kind, source, again, words, film, found)
    return found


def _enhance(words: Sequence[str]) -> str:
    """Run the command in this process; return the problem, if any."""
    from mmdsr.cli.main import main

    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        code = main(['enhance', *words])
    return '' if code == 0 else f'exit code {code}: {said.getvalue().strip()}'


def compare(
    kind: Kind, source: Path, target: Path, scale: int
) -> tuple[Finding, Contents]:
    """Compare a film with its recording.

    Args:
        kind: Kind of the recording.
        source: The recording.
        target: The film.
        scale: Factor of the number of rows and columns.

    Returns:
        The findings, and the content of the film.
    """
    before, after = Contents(), Contents()
    found = Finding(kind.name)
    olds, news = [], []
    for old, new in itertools.zip_longest(
        read_film(source, before), read_film(target, after)
    ):
        if old is not None:
            olds.append(np.rot90(old, before.turned // 90))
        if new is not None and olds:
            size = olds[0].shape[1], olds[0].shape[0]
            news.append(cv2.resize(new, size, interpolation=cv2.INTER_AREA))
    found.frames = len(olds), len(news)
    found.size, found.sar = after.size, (before.sar, after.sar)
    if len(olds) != len(news):
        found.problems.append(f'{len(news)} of {len(olds)} frames are there')
        return found, after
    _compare_pictures(olds, news, found)
    _compare_times(before, after, kind, found)
    _compare_sound(before, after, kind, found)
    _compare_looks(before, after, kind, scale, found)
    return found, after


def _compare_pictures(
    olds: list[np.ndarray], news: list[np.ndarray], found: Finding
) -> None:
    found.psnr = min(map(cv2.PSNR, olds, news))
    if found.psnr < _ALIKE:
        found.problems.append(f'a frame has {found.psnr:.1f} dB only')
    for number, new in enumerate(news):
        away = {
            other: cv2.norm(new, olds[other], cv2.NORM_L1)
            for other in range(max(0, number - 1), min(len(olds), number + 2))
        }
        nearest = min(away, key=lambda other: away[other])
        if away[nearest] < _NEARER * away[number]:
            found.problems.append(f'frame {number} shows frame {nearest}')


def _compare_times(
    before: Contents, after: Contents, kind: Kind, found: Finding
) -> None:
    found.off = max(
        abs((new - after.times[0]) - (old - before.times[0]))
        for old, new in zip(before.times, after.times, strict=True)
    )
    # Matroska as the source counts them, too, and these are kept.
    allowed = Fraction(0) if kind.made == '.mp4' else _MILLISECOND
    if found.off > allowed:
        found.problems.append(f'times are off by {float(found.off):.6f} s')
    gaps = {b - a for a, b in itertools.pairwise(after.times)}
    if kind.uneven and len(gaps) < 2:
        found.problems.append('the times have become even')


def _compare_sound(
    before: Contents, after: Contents, kind: Kind, found: Finding
) -> None:
    olds, news = before.sounds, after.sounds
    if bool(olds) != bool(kind.options.get('sound')):
        found.problems.append('the recording is not what it should be')
    if [data for _, data in olds] != [data for _, data in news]:
        found.problems.append(
            f'the sound differs: {len(olds)} packets, and {len(news)}'
        )
        return
    found.sounds = len(news)
    found.sound_off = max(
        (
            abs((new - after.times[0]) - (old - before.times[0]))
            for (old, _), (new, _) in zip(olds, news, strict=True)
        ),
        default=Fraction(0),
    )
    allowed = _OFF if kind.made == '.mp4' else 2 * _MILLISECOND
    if found.sound_off > allowed:
        found.problems.append(
            f'the sound is off by {float(found.sound_off):.6f} s'
        )


def _compare_looks(
    before: Contents, after: Contents, kind: Kind, scale: int, found: Finding
) -> None:
    size, sar = before.size, before.sar
    if before.turned % 180:
        size, sar = size[::-1], 1 / sar
    expected = dict(size=(scale * size[0], scale * size[1]), sar=sar, turned=0)
    for name, value in expected.items():
        if getattr(after, name) != value:
            found.problems.append(
                f'{name} is {getattr(after, name)} instead of {value}'
            )
    if bool(before.interlaced) != bool(kind.options.get('interlaced')) or (
        bool(before.turned) != bool(kind.turned)
    ):
        found.problems.append('the recording is not what it should be')
    if after.interlaced:
        found.problems.append(f'{after.interlaced} frames are interlaced')
    # In a lossless film the pixels are RGB: without matrix, and full.
    first = 0 if kind.made == '.mp4' else 2
    names = ('matrix', 'range', 'primaries', 'curve')
    for name, old, new in list(
        zip(names, before.colors, after.colors, strict=True)
    )[first:]:
        if new != old and old not in _OPEN:
            found.problems.append(f'{name} is {new} instead of {old}')


def _start(words: Sequence[str]) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, '-m', 'mmdsr', 'enhance', *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _resume(
    kind: Kind,
    source: Path,
    target: Path,
    words: Sequence[str],
    film: Contents,
    found: Finding,
) -> None:
    """Kill a run after its first segment, resume it, and compare."""
    line = [str(source), str(target), *words]
    process, root = _start(line), staging_root(target)
    begun = time.monotonic()
    while not any(root.glob('0*.json')) and process.poll() is None:
        if time.monotonic() - begun > _LIMIT:
            break
        time.sleep(0.005)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    code = process.wait()
    found.resumed = len(list(root.glob('0*.json')))
    if code != -signal.SIGKILL or not found.resumed:
        found.problems.append(f'it ended with {code} before it was killed')
        return
    said = _enhance(line)
    if said:
        found.problems.append(f'resumed: {said}')
        return
    scale = int(words[-1])
    second, again = compare(kind, source, target, scale)
    found.problems += [f'resumed: {one}' for one in second.problems]
    for name, value in asdict(again).items():
        # The record in the tags contains the time of creation.
        if name != 'tags' and value != getattr(film, name):
            found.problems.append(f'resumed, its {name} differ')
    left = sorted(path.name for path in target.parent.iterdir())
    if len(left) != 3:
        found.problems.append(f'resumed, there are {", ".join(left)}')


def peak_memory(source: Path, target: Path, options: Sequence[str]) -> float:
    """Enhance a recording in a separate process.

    Args:
        source: The recording.
        target: The film.
        options: Options of the command.

    Returns:
        Peak memory of any process of the run, in MiB.

    Raises:
        VideoError: If it fails.
    """
    process = _start([str(source), str(target), *options])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise VideoError(f'{source} is not enhanced: {process.returncode}')
    return usage.ru_maxrss / 1024
