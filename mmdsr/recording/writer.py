"""Encoding enhanced frames: segments of a film, or a picture each."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from mmdsr.errors import VideoError
from mmdsr.extras import require
from mmdsr.io.files import whole_file
from mmdsr.io.images import write_png
from mmdsr.io.stamps import Stamp
from mmdsr.recording.facts import Facts
from mmdsr.video.files import av_name

if TYPE_CHECKING:
    from av.video.stream import VideoStream

FILMS = ('.mp4', '.mkv')
CRF = 18
#: Name under which the stamps of a frame's files are kept.
FILES = 'files'
#: Fastest rate that Matroska, which counts milliseconds, can hold.
_MOST_RATE = 500
_RGB = 0


@dataclass(frozen=True)
class Shot:
    """A frame to be written.

    Attributes:
        index: Index of the frame in the source.
        picture: RGB (H, W, 3) uint8.
        overlay: Its confidence picture, RGB (h, w, 3) uint8, if any.
        kept: Notes on the frame; JSON-serializable.
    """

    index: int
    picture: np.ndarray
    overlay: np.ndarray | None = None
    kept: dict[str, Any] = field(default_factory=dict)


class Writer(Protocol):
    """Takes the frames of a segment, one by one."""

    def __enter__(self) -> 'Writer':
        """Begin."""

    def add(self, shot: Shot) -> dict[str, Any]:
        """Write a frame.

        Returns:
            Further notes on it besides ``shot.kept``; JSON-serializable.
        """

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End; after an error nothing is left."""


@contextmanager
def _encoding() -> Iterator[None]:
    """Say which errors are those of the encoder; a full disk is none."""
    import av.error

    try:
        yield
    except av.error.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise VideoError(
            f'its pictures cannot be encoded: {error.strerror}'
        ) from error


class FilmWriter:
    """Encodes a segment into a Matroska file that is whole or absent.

    H.264 for an MP4: chroma at half the size, matrix and range of the
    source. FFV1 for an MKV: exactly the RGB pixels, with the source's
    primaries and transfer curve. Pictures are counted from 0; their times are
    not in this file.

    Args:
        path: The file.
        suffix: Suffix of the film: ``'.mp4'`` or ``'.mkv'``.
        facts: Properties of the source.
        crf: Quality of H.264, 0 to 51; less is better.
        threads: Threads of the encoder; 0 for one per core.
    """

    def __init__(
        self, path: Path, suffix: str, facts: Facts, crf: int, threads: int = 0
    ) -> None:
        require('video', 'av')
        self.path, self.lossy, self.facts = path, suffix == '.mp4', facts
        self.crf, self.threads = crf, threads
        self._count = 0
        self._stream: VideoStream | None = None

    def __enter__(self) -> 'FilmWriter':
        """Begin the file."""
        import av

        self._file = whole_file(self.path)
        temporary = self._file.__enter__()
        self._container = av.open(av_name(temporary), 'w', format='matroska')
        return self

    def _open(self, width: int, height: int) -> 'VideoStream':
        facts, colors = self.facts, self.facts.colors
        rate = Fraction(min(max(facts.rate, 1), _MOST_RATE)).limit_denominator(
            1001
        )
        if self.lossy:
            options = {
                'crf': str(self.crf),
                'preset': 'medium',
                # Otherwise, equal pictures may be encoded differently.
                'x264-params': 'cpu-independent=1',
            }
            stream = self._container.add_stream(
                'libx264', rate=rate, options=options
            )
            even = width % 2 == 0 and height % 2 == 0
            stream.pix_fmt = 'yuv420p' if even else 'yuv444p'
        else:
            stream = cast(
                'VideoStream', self._container.add_stream('ffv1', rate=rate)
            )
            stream.pix_fmt = 'bgr0'
        context = stream.codec_context
        context.width, context.height = width, height
        context.time_base = self._tick = 1 / rate
        context.sample_aspect_ratio = facts.aspect
        context.thread_count = self.threads
        context.colorspace = colors.matrix if self.lossy else _RGB
        context.color_range = colors.range if self.lossy else 2
        context.color_primaries = colors.primaries
        context.color_trc = colors.transfer
        return stream

    def add(self, shot: Shot) -> dict[str, Any]:
        """Encode the picture of a frame.

        Raises:
            VideoError: If the encoder refuses it.
            OSError: If the file cannot be written.
        """
        with _encoding():
            self._add(shot.picture)
        return {}

    def _add(self, picture: np.ndarray) -> None:
        import av
        from av.video.reformatter import Interpolation, VideoReformatter

        if self._stream is None:
            self._reformatter = VideoReformatter()
            self._stream = self._open(picture.shape[1], picture.shape[0])
        frame = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(picture), 'rgb24'
        )
        colors = self.facts.colors
        frame = self._reformatter.reformat(
            frame,
            format=self._stream.pix_fmt,
            dst_colorspace=colors.matrix if self.lossy else None,
            dst_color_range=colors.range if self.lossy else None,
            interpolation=Interpolation.BICUBIC,
        )
        frame.pts, frame.time_base = self._count, self._tick
        self._count += 1
        self._container.mux(self._stream.encode(frame))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the file; after an error remove it."""
        with _encoding(), ExitStack() as both:
            # Closed first; an error of it also removes the file.
            both.push(self._file)
            both.callback(self._container.close)
            if error is not None:
                raise error
            if self._stream is not None:
                self._container.mux(self._stream.encode())


class TwinWriter:
    """Encodes a segment and that of the confidence film beside it.

    Args:
        film: Takes the pictures.
        overlay: Takes their confidence pictures.
    """

    def __init__(self, film: FilmWriter, overlay: FilmWriter) -> None:
        self.film, self.overlay = film, overlay
        self._both = ExitStack()

    def __enter__(self) -> 'TwinWriter':
        """Begin both files."""
        with ExitStack() as both:
            both.enter_context(self.film)
            both.enter_context(self.overlay)
            self._both = both.pop_all()
        return self

    def add(self, shot: Shot) -> dict[str, Any]:
        """Encode both pictures of a frame."""
        overlay = replace(shot, picture=cast(np.ndarray, shot.overlay))
        return {**self.film.add(shot), **self.overlay.add(overlay)}

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End both files; after an error remove them."""
        self._both.__exit__(kind, error, trace)


class PictureWriter:
    """Writes each frame as a complete PNG file, or none.

    Args:
        folder: The output folder.
        write: ``write(path, shot)`` writes one and returns the stamps of its
            files. Defaults to None: the picture alone.
    """

    def __init__(
        self,
        folder: Path,
        write: Callable[[Path, Shot], Mapping[Path, Stamp]] | None = None,
    ) -> None:
        self.folder, self.write = folder, write

    def __enter__(self) -> 'PictureWriter':
        """Do nothing."""
        return self

    def add(self, shot: Shot) -> dict[str, Any]:
        """Write a frame under the name made from its number."""
        path = self.folder / picture_name(shot.index)
        if self.write is None:
            write_png(path, shot.picture)
            return {}
        made = self.write(path, shot).items()
        return {FILES: {path.name: one._asdict() for path, one in made}}

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Do nothing: each picture is already written."""


def picture_name(index: int) -> str:
    """Return the file name of a frame."""
    return f'frame_{index:06d}.png'
