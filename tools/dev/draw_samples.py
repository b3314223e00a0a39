"""Draw the results of published weights on the samples, for the docs.

The picture of the default weights is for the front pages, the others are for
their cards.

Example:
    python tools/dev/draw_samples.py
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mmdsr import SuperResolver, list_weights
from mmdsr.cli.enhance import DEFAULT_WEIGHTS
from mmdsr.evaluation.functional import psnr, upscale
from mmdsr.io.files import write_bytes
from mmdsr.samples import FOLDER

STATIC = Path(__file__).parents[2] / 'docs/_static'
#: The cracked joint: left, top, width, height in pixels of the truth.
WINDOW = (330, 80, 150, 120)
ENLARGED = 2


def panel(image: np.ndarray, text: str) -> np.ndarray:
    """Crop the window and write a line below it."""
    left, top, width, height = WINDOW
    cut = image[top : top + height, left : left + width]
    cut = upscale(np.ascontiguousarray(cut), ENLARGED)
    bar = np.full((24, cut.shape[1], 3), 255, np.uint8)
    cv2.putText(
        bar, text, (4, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1,
        cv2.LINE_AA,
    )  # fmt: skip
    return np.vstack([cut, bar])


def main() -> None:
    """Draw the pictures."""
    argparse.ArgumentParser(description=__doc__.split('\n')[0]).parse_args()
    frame, reference, truth = (
        read(FOLDER / name)
        for name in ('frame.png', 'reference.jpg', 'truth.jpg')
    )
    for name in list_weights():
        front = name == DEFAULT_WEIGHTS
        prefix = 'mmdsr, ' if front else ''
        resolver = SuperResolver(weights=name)
        results = {
            'bicubic': upscale(frame),
            f'{prefix}no reference': resolver.enhance(frame),
            f'{prefix}zoomed reference': resolver.enhance(frame, reference),
        }
        panels = [
            panel(image, f'{text}: {psnr(image, truth):.1f} dB')
            for text, image in results.items()
        ]
        picture = np.hstack([*panels, panel(truth, 'truth')])
        ok, data = cv2.imencode(
            '.jpg', picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92]
        )
        assert ok
        file = 'look_further.jpg' if front else f'card_{name}.jpg'
        write_bytes(STATIC / file, data.tobytes())


def read(path: Path) -> np.ndarray:
    """Read an image (H, W, 3), RGB uint8."""
    with Image.open(path) as image:
        return np.array(image.convert('RGB'))


if __name__ == '__main__':
    main()
