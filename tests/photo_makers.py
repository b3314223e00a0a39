"""Photographs made up: detail of all sizes, as in pictures of nature."""

import cv2
import numpy as np
from PIL import Image


def picture(seed=0, width=240, height=200):
    """Draw ``(height, width, 3)`` uint8 with an even share of all sizes."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for cell in (1, 2, 4, 8, 16, 32, 64):
        grid = (-(-height // cell), -(-width // cell), 3)
        noise = rng.standard_normal(grid).astype(np.float32)
        total += cv2.resize(
            noise, (width, height), interpolation=cv2.INTER_CUBIC
        )
    return (128 + 18 * total).clip(0, 255).astype(np.uint8)


def save(path, image):
    """Save an image without loss; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def folder(root, licenses=('CC0-1.0', 'CC-BY-4.0', 'MIT'), scenes=None):
    """Write a photograph for each license, and their attribution file."""
    rows = ['file,author,license,source,scene']
    for number, name in enumerate(licenses):
        save(root / f'photo_{number}.png', picture(number))
        scene = scenes[number] if scenes else ''
        rows.append(f'photo_{number}.png,Ann,{name},here,{scene}')
    (root / 'ATTRIBUTION.csv').write_text('\n'.join(rows) + '\n')
    return root
