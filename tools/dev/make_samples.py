"""Simulate the pictures and the recording in the package.

Example:
    python tools/dev/make_samples.py
"""

import argparse
import io
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import track

from mmdsr.io.files import whole_file, write_bytes
from mmdsr.io.images import downscale, write_png
from mmdsr.samples import FOLDER
from mmdsr.sim import PipeRun

SEED, SIZE, RATE, SECONDS = 4242, (640, 480), 25, 10
#: A zoom on a cracked joint: the first frame, and the zoomed-in one.
STILL, FRAME, REFERENCE = 3, 20, 60
#: A crawler in a brick sewer.
MOVING = 11


def jpeg(image: np.ndarray) -> bytes:
    """Compress a picture (H, W, 3), RGB uint8."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, 'JPEG', quality=92)
    return buffer.getvalue()


def write_recording(
    target: Path, images: Iterable[np.ndarray], rate: Fraction
) -> None:
    """Write an MP4 as an inspection camera would: H.264, 4:2:0.

    Args:
        target: The file.
        images: Images of one size, (H, W, 3), RGB uint8.
        rate: Frames per second.
    """
    import av

    with (
        whole_file(target) as path,
        av.open(str(path), 'w', format='mp4') as container,
    ):
        stream = container.add_stream('libx264', rate, options={'crf': '20'})
        stream.pix_fmt = 'yuv420p'
        stream.time_base = 1 / rate
        for index, image in enumerate(images):
            stream.height, stream.width = image.shape[:2]
            frame = av.VideoFrame.from_ndarray(image, 'rgb24')
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def main() -> None:
    """Create all files."""
    argparse.ArgumentParser(description=__doc__.split('\n')[0]).parse_args()
    run = PipeRun(SEED, STILL, SIZE, steps='video')
    truth = run.frame(FRAME).image
    write_png(FOLDER / 'frame.png', downscale(truth))
    write_bytes(FOLDER / 'truth.jpg', jpeg(truth))
    reference = run.frame(REFERENCE).image
    write_bytes(FOLDER / 'reference.jpg', jpeg(reference))

    run = PipeRun(SEED, MOVING, SIZE, steps='video')
    write_recording(
        FOLDER / 'recording.mp4',
        (
            downscale(run.frame(index).image)
            for index in track(range(RATE * SECONDS), 'recording')
        ),
        Fraction(RATE),
    )


if __name__ == '__main__':
    main()
