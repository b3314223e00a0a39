"""Simulate the pictures and the recording that come with the package.

Example:
    python tools/dev/make_samples.py
"""

import argparse
import io
from fractions import Fraction

import av
import numpy as np
from PIL import Image
from rich.progress import track

from mmdsr.io.files import whole_file, write_bytes
from mmdsr.io.images import downscale, write_png
from mmdsr.samples import FOLDER
from mmdsr.sim import PipeRun

SEED, SIZE, RATE, SECONDS = 4242, (640, 480), 25, 10
#: A zoom on a cracked joint: the frame, and where the camera has zoomed in.
STILL, FRAME, REFERENCE = 3, 20, 60
#: A crawler in a brick sewer.
MOVING = 11


def jpeg(image: np.ndarray) -> bytes:
    """Compress a picture (H, W, 3), RGB uint8."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, 'JPEG', quality=92)
    return buffer.getvalue()


def main() -> None:
    """Make all files."""
    argparse.ArgumentParser(description=__doc__.split('\n')[0]).parse_args()
    run = PipeRun(SEED, STILL, SIZE, steps='video')
    truth = run.frame(FRAME).image
    write_png(FOLDER / 'frame.png', downscale(truth))
    write_bytes(FOLDER / 'truth.jpg', jpeg(truth))
    reference = run.frame(REFERENCE).image
    write_bytes(FOLDER / 'reference.jpg', jpeg(reference))

    run = PipeRun(SEED, MOVING, SIZE, steps='video')
    with (
        whole_file(FOLDER / 'recording.mp4') as path,
        av.open(str(path), 'w', format='mp4') as container,
    ):
        stream = container.add_stream('libx264', RATE, options={'crf': '20'})
        stream.width, stream.height = (side // 4 for side in SIZE)
        stream.pix_fmt = 'yuv420p'
        stream.time_base = Fraction(1, RATE)
        for index in track(range(RATE * SECONDS), 'recording'):
            image = downscale(run.frame(index).image)
            frame = av.VideoFrame.from_ndarray(image, 'rgb24')
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


if __name__ == '__main__':
    main()
