"""Read image files as 8-bit sRGB, with a note on conversions."""

import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms, TiffImagePlugin

from mmdsr.io.images import UINT16_MODES, decode_image

#: MPO is Pillow's name for a photo with a preview or a second view: one
#: picture for its owner.
_ONE_PICTURE = ('MPO',)
#: Older versions of Pillow read 16-bit gray as 32-bit integers.
_WIDE_GRAY = (*UINT16_MODES, 'I')
#: Image suffixes that Pillow does not know or assigns to other formats.
_OTHER_SUFFIXES = {
    '.arw',
    '.avif',
    '.cr2',
    '.cr3',
    '.dds',
    '.dng',
    '.exr',
    '.hdr',
    '.heic',
    '.heif',
    '.jxl',
    '.nef',
    '.orf',
    '.raf',
    '.raw',
    '.rw2',
    '.svg',
}
_SAMPLE_FORMAT, _BITS, _COMPRESSION = 339, 258, 259
#: LogLuv, which encodes floating-point numbers as integers.
_LOG = (34676, 34677)
_NUMBERS = {2: 'signed', 3: 'floating-point', 5: 'complex', 6: 'complex'}


@dataclass(frozen=True)
class Picture:
    """An image in the input format of the networks.

    Args:
        rgb: ``(H, W, 3)`` uint8. Transparent pixels have the color of the
            nearest visible pixel.
        alpha: ``(H, W)`` uint8, 0 = transparent; ``None`` if all pixels are
            opaque.
        note: Conversions, '' if there were none.
        count: Number of pictures in the file, of which this is the first.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None = None
    note: str = ''
    count: int = 1

    @property
    def left_out(self) -> str:
        """Which pictures of the file are not used, '' if there are none."""
        more = self.count > 1
        return f'the first of {self.count} pictures' if more else ''


def is_image_name(path: Path) -> bool:
    """Return whether a file is an image according to its name.

    Args:
        path: The file.

    Returns:
        Whether its suffix is that of an image format, supported or not.
    """
    suffix = path.suffix.lower()
    kind = Image.registered_extensions().get(suffix)
    return suffix in _OTHER_SUFFIXES or Image.MIME.get(
        kind or '', ''
    ).startswith('image/')


def read_picture(path: str | Path) -> Picture:
    """Read a complete image file, upright, as sRGB with transparency.

    Gray is repeated in all channels, palettes are resolved, 16 bits per
    channel are scaled from 0..65535 to 0..255, and CMYK and other colors are
    converted, by their profile if there is one.

    Args:
        path: The file.

    Returns:
        Its first picture.

    Raises:
        ValueError: If the file is not an image, is truncated, or is of a kind
            whose range is unknown.
    """
    try:
        image, count, wide = decode_image(path)
    except ValueError as error:
        kind = _tiff_numbers(path)
        if not kind:
            raise
        raise ValueError(
            f'{kind} pixels, whose range is unknown; save it with whole '
            'numbers of 8 or 16 bits'
        ) from error
    # Converting returns a copy, which lacks the format.
    if image.format in _ONE_PICTURE:
        count = 1
    notes = ['16-bit color to 8 bits'] if wide else []
    alpha = None
    if image.mode in _WIDE_GRAY:
        # Pillow would clip its values to 255 together with this.
        alpha = _gray_alpha(image)
    elif image.has_transparency_data:
        kind, image = image.mode, image.convert('RGBA')
        alpha = np.asarray(image.getchannel('A'))
        # A separate alpha channel does not affect the colors.
        if kind != 'RGBA':
            notes.append(f'{kind} to RGB')
        image = image.convert('RGB')
    rgb, note = _to_srgb(image)
    notes.append(note)
    if alpha is not None and alpha.min() == 255:
        alpha = None
    if alpha is not None:
        rgb = _fill_hidden(rgb, alpha)
    return Picture(rgb, alpha, ', '.join(filter(None, notes)), count)


def _to_srgb(image: Image.Image) -> tuple[np.ndarray, str]:
    """Convert an image without transparency."""
    mode = image.mode
    if mode in _WIDE_GRAY:
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError('32-bit gray with values beyond 16 bits')
        gray = np.rint(values / 257).astype(np.uint8)
        return np.repeat(gray[..., None], 3, axis=2), '16-bit gray to 8 bits'
    if mode == 'F':
        raise ValueError(
            'floating-point pixels, whose range is unknown; save it with '
            'whole numbers of 8 or 16 bits'
        )
    note = '' if mode == 'RGB' else f'{mode} to RGB'
    profile = image.info.get('icc_profile')
    if profile:
        converted, said = _by_profile(image, profile)
        note = ', '.join(filter(None, (note, said)))
        if converted is not None:
            return np.asarray(converted), note
    return np.asarray(image.convert('RGB')), note


def _gray_alpha(image: Image.Image) -> np.ndarray | None:
    """Return the transparency of gray, of which one value is transparent."""
    hidden = image.info.get('transparency')
    if hidden is None:
        return None
    return np.where(np.asarray(image) == hidden, 0, 255).astype(np.uint8)


def _by_profile(
    image: Image.Image, profile: bytes
) -> tuple[Image.Image | None, str]:
    """Convert to sRGB by a color profile; None if this is unnecessary."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if 'sRGB' in ImageCms.getProfileDescription(source):
            return None, ''
        if image.mode not in ('L', 'RGB', 'CMYK', 'LAB'):
            image = image.convert('RGB')
        converted = ImageCms.profileToProfile(
            image, source, ImageCms.createProfile('sRGB'), outputMode='RGB'
        )
    # Also raised if the profile is for another kind of image.
    except (ImageCms.PyCMSError, OSError) as error:
        reason = str(error).split('\n')[0]
        return None, f'color profile ignored ({reason})'
    return converted, 'color profile to sRGB'


def _fill_hidden(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Give invisible pixels the color of the nearest visible one.

    Otherwise, the stored color of invisible pixels, often black, would bleed
    into the visible border when the image is enlarged.
    """
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return rgb
    _, labels = cv2.distanceTransformWithLabels(
        hidden.astype(np.uint8),
        cv2.DIST_L2,
        5,
        labelType=cv2.DIST_LABEL_PIXEL,
    )
    # Each visible pixel has a unique label.
    colors = np.zeros((labels.max() + 1, 3), np.uint8)
    colors[labels[~hidden]] = rgb[~hidden]
    return colors[labels]


def _tiff_numbers(path: str | Path) -> str:
    """Describe the numbers of a TIFF that Pillow cannot decode."""
    # Opening a named pipe would wait for a writer forever.
    if not Path(path).is_file():
        return ''
    try:
        with Path(path).open('rb') as file:
            header = file.read(8)
            if header[:4] not in (b'II*\0', b'MM\0*'):
                return ''
            tags = TiffImagePlugin.ImageFileDirectory_v2(header)
            file.seek(tags.next)
            tags.load(file)
            if tags.get(_COMPRESSION) in _LOG:
                return 'LogLuv floating-point'
            kind = _NUMBERS.get(max(tags.get(_SAMPLE_FORMAT, (1,))))
            bits = max(tags.get(_BITS, (1,)))
            return f'{bits}-bit {kind}' if kind else ''
    # Broken directories raise errors of many kinds.
    except Exception:
        return ''
