"""Receive a file from a user; check its size and kind."""

import asyncio
import hashlib
import warnings
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from PIL import Image
from starlette.concurrency import run_in_threadpool

from mmdsr.errors import MissingExtraError, RefusedRequestError, VideoError
from mmdsr.io.frames import MIN_LR_SIDE
from mmdsr.io.frames import SUFFIXES as IMAGE_SUFFIXES
from mmdsr.io.images import short_reason
from mmdsr.io.pictures import read_picture
from mmdsr.page.limits import Limits
from mmdsr.page.sessions import Preview, Session, Sessions, Upload
from mmdsr.page.videos import save_small
from mmdsr.video.files import SUFFIXES as VIDEO_SUFFIXES
from mmdsr.video.reader import probe

#: Formats that Pillow may read. Others are refused before they are read:
#: PostScript, for example, is a programming language.
_FORMATS = ('PNG', 'JPEG', 'TIFF', 'WEBP', 'BMP', 'GIF', 'PPM')
#: Bytes of a name. File systems allow 255, and the names of results and of
#: the files beside them are longer than that of their source.
_LONGEST_NAME = 180
_LONGEST_SUFFIX = 12


def clean_name(name: str) -> str:
    """Return a file name that is safe to show and to write into records.

    Args:
        name: Name sent by the browser, which may contain anything.

    Returns:
        The last part without control characters, 1 to 180 bytes in UTF-8.
    """
    last = PureWindowsPath(PurePosixPath(name).name).name
    kept = ''.join(c for c in last if c.isprintable()).strip(' .')
    stem, suffix = Path(kept).stem, Path(kept).suffix[:_LONGEST_SUFFIX]
    room = _LONGEST_NAME - len(suffix.encode())
    # Half a character at the cut is dropped.
    stem = stem.encode()[:room].decode(errors='ignore')
    return f'{stem}{suffix}' or 'unnamed'


async def receive(
    sessions: Sessions,
    session: Session,
    name: str,
    announced: int,
    chunks: AsyncIterator[bytes],
) -> Upload:
    """Store a file and determine its kind.

    Args:
        sessions: All sessions.
        session: Session of the upload.
        name: Name given by the user.
        announced: Announced size in bytes.
        chunks: Content of the file.

    Returns:
        The file, which has been added to the session.

    Raises:
        RefusedRequestError: If it is too large or of another kind; nothing is
            stored in that case.
    """
    limits, shown = sessions.limits, clean_name(name)
    suffix = Path(shown).suffix.lower()
    if suffix not in IMAGE_SUFFIXES | VIDEO_SUFFIXES:
        raise RefusedRequestError(
            f'{shown} does not have the suffix of a picture or a video: use '
            'PNG, JPEG, TIFF, WebP, BMP or GIF, or MP4, MPG, MOV, AVI, MKV, '
            'WMV or TS.',
            415,
        )
    # Check this before anything is stored.
    sessions.check_room(session, announced)
    # The suffix is from a fixed set; the rest of the name is not used.
    path = session.new_path(suffix)
    session.incoming.append(announced)
    try:
        sha256 = await _store(path, chunks, announced, limits.stall)
        upload = await run_in_threadpool(
            _inspect, path, shown, announced, sha256, limits
        )
        if session.ended:
            raise RefusedRequestError(
                'Your session has ended: reload the page.', 401
            )
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        session.incoming.remove(announced)
    session.uploads[upload.token] = upload
    return upload


async def _store(
    path: Path, chunks: AsyncIterator[bytes], announced: int, stall: float
) -> str:
    """Write the received data; return its SHA-256."""
    size, total = 0, hashlib.sha256()
    steps = aiter(chunks)
    with path.open('xb') as file:
        while True:
            try:
                chunk = await asyncio.wait_for(anext(steps, None), stall)
            except asyncio.TimeoutError as error:
                raise RefusedRequestError(
                    'The upload has stalled: try again.', 408
                ) from error
            if chunk is None:
                break
            size += len(chunk)
            if size > announced:
                break
            file.write(chunk)
            total.update(chunk)
    if size != announced:
        raise RefusedRequestError('The upload was interrupted: try again.')
    if not size:
        raise RefusedRequestError('The file is empty: choose another one.')
    return total.hexdigest()


def _inspect(
    path: Path, name: str, size: int, sha256: str, limits: Limits
) -> Upload:
    """Determine the kind of a file."""
    if path.suffix in IMAGE_SUFFIXES:
        check_pixels(path, name, limits)
        try:
            picture = read_picture(path)
        except ValueError as error:
            raise RefusedRequestError(
                f'{name} cannot be read as a picture: {error}.', 415
            ) from error
        height, width = picture.rgb.shape[:2]
        upload = Upload(name, path, 'image', size, sha256, width, height)
        notes = picture.note, picture.left_out
        upload.note = ', '.join(filter(None, notes))
    else:
        try:
            info = probe(path)
        except (VideoError, MissingExtraError) as error:
            raise RefusedRequestError(
                f'{name} cannot be read as a video: {error}', 415
            ) from error
        upload = Upload(
            name,
            path,
            'video',
            size,
            sha256,
            info.width,
            info.height,
            info.duration,
        )
        if info.width * info.height > limits.pixels:
            raise RefusedRequestError(_too_many(name, limits), 413)
    if min(upload.width, upload.height) < MIN_LR_SIDE:
        raise RefusedRequestError(
            f'{name} is too small: both sides must have at least '
            f'{MIN_LR_SIDE} pixels.'
        )
    if upload.kind == 'image':
        # Last, because a refused file must not be stored.
        small = path.with_name(f'{path.stem}_small.jpg')
        save_small(picture.rgb, small)
        upload.previews.append(Preview(0, 0.0, small))
    return upload


def check_pixels(path: Path, name: str, limits: Limits) -> None:
    """Check the header of a picture before decoding it.

    Args:
        path: The file.
        name: Name in messages.
        limits: Limits of the page.

    Raises:
        RefusedRequestError: If it is not a picture, or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as image:
                width, height = image.size
    # Pillow raises many kinds of errors on broken files.
    except Image.DecompressionBombError as error:
        raise RefusedRequestError(_too_many(name, limits), 413) from error
    except Exception as error:
        raise RefusedRequestError(
            f'{name} cannot be read as a picture: {short_reason(error)}.', 415
        ) from error
    if width * height > limits.pixels:
        raise RefusedRequestError(_too_many(name, limits), 413)


def _too_many(name: str, limits: Limits) -> str:
    return (
        f'{name} has too many pixels: at most {limits.pixels // 10**6} '
        'million are allowed. Cut out the part to look at.'
    )
