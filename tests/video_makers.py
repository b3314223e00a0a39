"""Small videos made on the spot, for the tests of the video tools."""

from fractions import Fraction

import av
import cv2
import numpy as np

_INTERLACED = 0x40000 | 0x20000000


def blurred(image, sigma=4):
    """The image out of focus."""
    return cv2.GaussianBlur(image, (0, 0), sigma)


def write_video(
    path,
    frames,
    codec='mpeg4',
    rate=5,
    sar=None,
    interlaced=False,
    gop=6,
    stamps=None,
    **container_options,
):
    """Encode frames in good quality, at stamps in frames if given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {'qscale': '2', 'qmin': '2', 'qmax': '3'}
    if codec == 'libx264':
        options = {'crf': '16'}
    elif path.suffix == '.mpg':
        options |= {'maxrate': '9000000', 'bufsize': '4000000'}
    with av.open(str(path), 'w', options=container_options) as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = 'yuvj420p' if codec == 'mjpeg' else 'yuv420p'
        stream.bit_rate = 8_000_000
        stream.codec_context.gop_size = gop
        if sar:
            stream.codec_context.sample_aspect_ratio = Fraction(sar)
        if interlaced:
            stream.codec_context.flags |= _INTERLACED
        for number, frame in enumerate(frames):
            image = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(frame), 'rgb24'
            )
            if stamps is not None:
                image.pts = stamps[number]
                image.time_base = Fraction(1, rate)
            container.mux(stream.encode(image))
        container.mux(stream.encode())
    return path


def join(path, *parts):
    """Put files behind each other, as recorders do."""
    path.write_bytes(b''.join(part.read_bytes() for part in parts))
    return path


def cut_short(path, share):
    """Keep the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def psnr(one, other):
    """Peak signal-to-noise ratio of two 8-bit images in dB."""
    error = np.mean((one.astype(float) - other) ** 2)
    return 10 * np.log10(255**2 / max(error, 1e-9))
