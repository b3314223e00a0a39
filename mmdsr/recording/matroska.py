"""The shape of the pixels in a Matroska file.

FFV1 does not carry it, and PyAV cannot tell the muxer. It writes a turn of
the picture, though, as an element of the video track that is a little
longer; this is what the display size is put in place of.
"""

import struct
from fractions import Fraction
from pathlib import Path

#: Position of the tracks in a file that FFmpeg has written.
_HEAD = 2**16
_MOST = 2**16 - 1
#: A projection of 11 bytes that begins with a turn of 8 bytes.
_PROJECTION = b'\x76\x70\x8b\x76\x75\x88'
_WIDTH, _HEIGHT, _VOID = b'\x54\xb0\x82', b'\x54\xba\x82', b'\xec\x82\0\0'
#: The unit of the display size.
_UNKNOWN, _PIXELS = b'\x54\xb2\x81\x04', b'\x54\xb2\x81\x00'


def set_display_size(
    path: Path, width: int, height: int, sar: Fraction
) -> None:
    """Write the display size in place of the projection of the film.

    Args:
        path: A Matroska file whose film is turned, without checksums.
        width: Stored width in pixels.
        height: Stored height in pixels.
        sar: Width of a pixel divided by its height.

    Raises:
        RuntimeError: If there is no place for it.
    """
    wide = width * sar
    # Both count as a ratio only, so that it can be exact.
    shown = wide.numerator, height * wide.denominator
    if max(shown) > _MOST:
        shown = round(wide), height
    element = b''.join(
        name + struct.pack('>H', side)
        for name, side in zip((_WIDTH, _HEIGHT), shown, strict=True)
    )
    element += _VOID
    with path.open('r+b') as file:
        head = file.read(_HEAD)
        for old, new in ((_PROJECTION, element), (_UNKNOWN, _PIXELS)):
            place = head.find(old)
            if place < 0:
                raise RuntimeError(f'{path} has no field for a size.')
            file.seek(place)
            file.write(new)
