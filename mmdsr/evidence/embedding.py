"""The record within the file of the result: PNG text, container tags."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL.PngImagePlugin import PngInfo

from mmdsr.evidence.record import FORMAT, Record, embedded, from_json, to_json
from mmdsr.io.images import MOST_PIXELS, open_image
from mmdsr.version import __version__

#: Key of the text chunk, and of the tag.
KEY = FORMAT
# A result is up to four times as wide and high as its source.
_MOST_PIXELS = 16 * MOST_PIXELS


def png_texts(record: Record) -> PngInfo:
    """Return the text chunks of a PNG file.

    Args:
        record: The record of the result.

    Returns:
        For ``save_png``: the record as iTXt under :data:`KEY`, and the
        program under the usual key.
    """
    texts = PngInfo()
    texts.add_itxt('Software', f'mmdsr {__version__}')
    texts.add_itxt(KEY, to_json(embedded(record)))
    return texts


def container_tags(record: Record) -> dict[str, str]:
    """Return the tags of a video file.

    Args:
        record: The record of the result. Its frames and the digest of
            its pixels need not be known yet; they are in the side-car only.

    Returns:
        Tags for PyAV's ``container.metadata``. MKV keeps any; MP4 keeps the
        record only if it is opened with ``options={'movflags':
        'use_metadata_tags'}``.
    """
    return {
        'encoder': f'mmdsr {__version__}',
        'comment': 'Enhanced by super-resolution; see the record.',
        KEY: to_json(embedded(record)),
    }


def read_tags(tags: Mapping[str, str], name: str) -> Record | None:
    """Read the record among the tags of a file.

    Args:
        tags: Metadata of a container, or of a Pillow image.
        name: Name of the file for messages.

    Returns:
        The record; ``None`` if there is none.

    Raises:
        EvidenceError: If it is not a record, or was edited.
    """
    # MKV writes the keys in capitals.
    found = {str(key).lower(): value for key, value in tags.items()}.get(KEY)
    if found is None:
        return None
    return from_json(str(found), f'The record in {name}')


def read_png(path: Path) -> tuple[np.ndarray, Mapping[str, str]]:
    """Read the pixels and the texts of an image file.

    Args:
        path: The file.

    Returns:
        ``(H, W, C)`` uint8, and the texts for :func:`read_tags`.

    Raises:
        ValueError: With the reason, but without the path, if it cannot be
            read.
    """
    image = open_image(path, _MOST_PIXELS)
    pixels = np.asarray(image)
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise ValueError(f'its pixels are of another kind ({image.mode})')
    texts = {str(k): v for k, v in image.info.items() if isinstance(v, str)}
    return pixels, texts
