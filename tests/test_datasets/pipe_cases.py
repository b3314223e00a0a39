"""A fabricated Pipe set, and the configs of docs/datasets.md."""

import re
from pathlib import Path

import numpy as np
from mmengine.config import Config
from PIL import Image

DOCS = Path(__file__).parents[2] / 'docs' / 'datasets.md'


def documented_datasets(host):
    """The data sets of the page, as a user would paste them."""
    blocks = re.findall(
        r'```python\n# (\w+)\n(.*?)```', DOCS.read_text(), re.S
    )
    return [
        Config.fromstring(text, '.py').dataset
        for name, text in blocks
        if name == host
    ]


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


def make_pipe(root, split='train', count=3):
    """Images of noise; in image i a square of class i, and class 3 twice."""
    rng = np.random.default_rng(0)
    for i in range(count):
        image = rng.integers(0, 256, (32, 48, 3), dtype=np.uint8)
        mask = np.zeros((32, 48), np.uint8)
        mask[2:10, 4:16] = i + 1
        mask[20:28, 30:40] = 3
        save(root / 'images' / split / f'pipe{i}_0001.png', image)
        save(root / 'masks' / split / f'pipe{i}_0001.png', mask)
    return root


def read(path):
    with Image.open(path) as file:
        return np.asarray(file)
