"""Make the films of the docs: a simulated drive, enhanced.

A crawler of SewerSim drives for ten seconds. `mmdsr enhance` makes two films
of it with interpolation on the left: the whole picture of a small recording,
and the far region of a recording twice as large.

Example:
    python tools/dev/draw_film.py work_dirs/film
"""

import argparse
import io
import shutil
import sys
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
from make_samples import write_recording
from PIL import Image
from rich.progress import track

from mmdsr.cli.enhance import main as enhance
from mmdsr.evaluation.functional import psnr
from mmdsr.io.files import write_bytes
from mmdsr.io.images import downscale
from mmdsr.sim import PipeRun

STATIC = Path(__file__).parents[2] / 'docs/_static'
SEED, RUN, SIZE = 4242, 14, (768, 576)
#: Every second frame of ten seconds at 25 frames per second.
EVERY, FRAMES = 2, 125
#: Reduction of the recording and options of each film. The sizes are small
#: enough for a page that loads quickly.
FILMS = {
    'drive': (4, ['--crf', '30']),
    'drive_far': (2, ['--region', 'far', '--crf', '27']),
}
#: Frame of the still picture.
STILL = 90


def simulate(folder: Path) -> Iterator[np.ndarray]:
    """Yield the frames at full size, (H, W, 3), RGB uint8.

    Args:
        folder: Folder where they are stored, as both recordings need them.
    """
    run = PipeRun(SEED, RUN, SIZE, steps='video')
    for index in track(range(FRAMES), 'simulate'):
        path = folder / f'{index:03d}.npy'
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            np.save(path, run.frame(EVERY * index).image)
        yield np.load(path)


def still(film: Path, target: Path) -> None:
    """Extract one frame of a film as a JPEG.

    Args:
        film: The film.
        target: The picture.
    """
    import av

    with av.open(str(film)) as container:
        frame = next(islice(container.decode(video=0), STILL, None))
    buffer = io.BytesIO()
    Image.fromarray(frame.to_ndarray(format='rgb24')).save(
        buffer, 'JPEG', quality=85
    )
    write_bytes(target, buffer.getvalue())


def score(film: Path, folder: Path) -> tuple[float, float]:
    """Compare the whole picture of a film with the truth.

    Args:
        film: The film, two pictures side by side.
        folder: Folder of :func:`simulate`.

    Returns:
        Mean PSNR-Y in dB of the left and the right picture over every fifth
        frame.
    """
    import av

    scores = []
    with av.open(str(film)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index % 5 == 0:
                halves = np.hsplit(frame.to_ndarray(format='rgb24'), 2)
                truth = np.load(folder / f'{index:03d}.npy')
                scores.append([psnr(half, truth) for half in halves])
    left, right = np.mean(scores, 0)
    return float(left), float(right)


def main() -> None:
    """Make the recordings, the films and their stills."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('work', type=Path, help='folder for what is between')
    args = parser.parse_args()
    frames = args.work / 'frames'
    for name, (reduced, options) in FILMS.items():
        recording = args.work / f'{name}_recording.mp4'
        if not recording.exists():
            write_recording(
                recording,
                (downscale(image, reduced) for image in simulate(frames)),
                Fraction(25, EVERY),
            )
        film = args.work / f'{name}.mp4'
        failed = enhance(
            [
                *(str(recording), str(film), '--side-by-side'),
                *options,
            ]
        )
        if failed:
            sys.exit(failed)
        shutil.copyfile(film, STATIC / film.name)
        still(film, STATIC / f'{name}.jpg')
        if '--region' not in options:
            print(
                '{}: {:.2f} and {:.2f} dB'.format(name, *score(film, frames))
            )


if __name__ == '__main__':
    main()
