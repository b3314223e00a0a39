"""Calibration samples, which show which values occur in a network."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np

from mmdsr.deploy.onnx_export import LR, REF
from mmdsr.io.frames import read_pixels
from mmdsr.io.images import downscale
from mmdsr.io.manifest import read_manifest

#: Inputs of a model by name.
Sample: TypeAlias = dict[str, np.ndarray]
#: Runs that are simulated, one frame of each with the next one as reference;
#: their seed is not that of any published data set.
_RUNS, _SEED = 8, 20200
_SIZE = (448, 320)
#: Maximum number of samples of a data set.
_MOST = 32


@cache
def simulate() -> tuple[Sample, ...]:
    """Simulate samples, which takes seconds once per process.

    Returns:
        LR (1, 3, 80, 112) and one reference (1, 1, 3, 320, 448) of each.
    """
    # Imported here because the simulator compiles functions, and every
    # resolver imports this module.
    from mmdsr.sim.pipe_run import PipeRun

    samples = []
    for run in range(_RUNS):
        view = PipeRun(_SEED, run, _SIZE)
        hr, ref = (view.frame(index).image for index in (run, run + 1))
        samples.append(_sample(downscale(hr), ref))
    return tuple(samples)


def choose(root: Path) -> list[tuple[Path, Path]]:
    """Choose samples of the training split of a data set.

    Args:
        root: Root of the data set.

    Returns:
        LR and reference of evenly spread samples.

    Raises:
        FileNotFoundError: If an image of the data set is missing.
        ValueError: If there is no such data set.
    """
    # Imported here because it takes seconds, and every resolver imports this
    # module.
    from mmdsr.datasets.refsr_dataset import RefSRDataset

    manifest = read_manifest(root)
    if not manifest or not manifest['splits']['train']:
        raise ValueError(
            f'{root} is not a data set with a training split: create one with '
            '"mmdsr simulate" or leave out --samples.'
        )
    dataset = RefSRDataset(root, 'train', max_samples=_MOST)
    infos = map(dataset.get_data_info, range(len(dataset)))
    return [(Path(info['img_path']), Path(info['ref_path'])) for info in infos]


def read(root: Path) -> Iterator[Sample]:
    """Read the chosen samples of a data set.

    Args:
        root: Root of the data set.

    Yields:
        LR (1, 3, H, W) and one reference (1, 1, 3, Hr, Wr).

    Raises:
        FileNotFoundError: If an image of the data set is missing.
        ValueError: If there is no such data set, or a file is not an image.
    """
    for paths in choose(root):
        lr, ref = map(read_pixels, paths)
        yield _sample(lr, ref)


def _sample(lr: np.ndarray, ref: np.ndarray) -> Sample:
    return {LR: _planes(lr)[None], REF: _planes(ref)[None, None]}


def _planes(image: np.ndarray) -> np.ndarray:
    """Convert uint8 (H, W, 3) to float (3, H, W) in [0, 1]."""
    return image.transpose(2, 0, 1).astype(np.float32) / 255
